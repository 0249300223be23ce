#!/usr/bin/env bash
# Takes the pictures of README.md's seven questions, into docs/pictures: the browser test of the questions walks on a phone in
# the light theme, and keeps what it sees at each answer. Program and site are to be built before, as `make test` does; a
# picture is only kept where the answer was right.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z ${KABINET_TEST_CHROMIUM-} ]]; then
  source tools/steps.sh
  use_toolchain test
fi
mkdir -p docs/pictures
export KABINET_TEST_PICTURES=$PWD/docs/pictures
unset KABINET_TEST_POSTGRES
cd end2end
../node_modules/.bin/playwright test questions.spec.ts --project phone --workers 1 "$@"
