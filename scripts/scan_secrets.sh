#!/usr/bin/env bash
# Look for committed secrets with detect-secrets; exit code 1 if there are any.
#
#   scripts/scan_secrets.sh          in files that differ from the main branch or were added (all, if that is unknown)
#   scripts/scan_secrets.sh --all    in every file
#
# A value of an example or a test that looks like a secret is spelt as one of EXAMPLES. Entropy is not judged: hashes in
# tests look like keys. Lock files and generated files have hashes only.
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    sed -n '2,/^if/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit
fi
source "$(dirname "$0")/setup.sh"

GENERATED='\.lock$|(^|/)package-lock\.json$|(^|/)openapi\.(json|ts)$|(^|/)interfaces\.json$|\.(svg|png|ico)$'
EXAMPLES='^(secret|password|development|Keys|shared|k-?1|web-tests|secret-word|geheim|s3cret|p4ssword|feed-api-keys)$|^p(%40|\\u)|^\$'

git rev-parse --git-dir > /dev/null 2>&1 || { say "no git repository; nothing was scanned"; exit 0; }
base=
if [ "${1:-}" != --all ]; then
    base=$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main 2> /dev/null || true)
    # On the main branch itself: what the last commit changed.
    base=$(git rev-parse --verify --quiet "${base:-HEAD}~1" || true)
fi
files=$(mktemp)
trap 'rm -f "$files"' EXIT
{
    if [ -n "$base" ]; then git diff --name-only --diff-filter=d "$base"; else git ls-files; fi
    git ls-files --others --exclude-standard
} | grep -vE "$GENERATED" | sort -u > "$files" || true
tr '\n' '\0' < "$files" | xargs -0 -r detect-secrets-hook --disable-plugin HexHighEntropyString \
    --disable-plugin Base64HighEntropyString --exclude-secrets "$EXAMPLES" \
    || { say "remove the secret, and replace it wherever it is used: it stays in the history"; exit 1; }
