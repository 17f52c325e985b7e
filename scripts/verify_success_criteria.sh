#!/usr/bin/env bash
# The eight success criteria of the design, each from a real run:
#
#   scripts/verify_success_criteria.sh          all of them; exit 0 only when all pass
#   scripts/verify_success_criteria.sh 1 5 6    only these
#
# Everything runs beside what is running already: on free ports, with a database and models of its own.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec python scripts/verify_success_criteria.py "$@"
