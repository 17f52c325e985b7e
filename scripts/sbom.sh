#!/usr/bin/env bash
# Write the bill of materials (CycloneDX 1.6, JSON) of the packages in an image, with their versions and hashes.
#
#   scripts/sbom.sh                                               of the image that serves, to standard output
#   scripts/sbom.sh requirements-train.lock train.cdx.json        of another lock file, to a file
#
# It needs the packages of requirements-delivery.lock: uv pip install --require-hashes -r requirements-delivery.lock
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    sed -n '2,/^if/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit
fi
source "$(dirname "$0")/setup.sh"

lock=${1:-requirements-serve.lock} output=${2:--}
[ -f "$lock" ] || fail "$lock does not exist; give a lock file of this folder"
python -c 'import cyclonedx_py' 2> /dev/null \
    || fail "cyclonedx-bom is missing; run: uv pip install --require-hashes -r requirements-delivery.lock"
exec python -W ignore -m cyclonedx_py requirements "$lock" --pyproject pyproject.toml --output-reproducible \
    --spec-version 1.6 --output-format JSON --output-file "$output"
