# Sourced by the other scripts: makes ./.venv once and installs the auditor into it. `extra` is the extra to install ("" or "dev");
# AUDITOR_EXTRAS adds further ones, for example kerberos, which needs a compiler and the Kerberos headers.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON to one" >&2; exit 1; }
extras=${extra:-}${extra:+${AUDITOR_EXTRAS:+,$AUDITOR_EXTRAS}}
stamp=".venv/installed${extras:+-$extras}"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ requirements.txt -nt "$stamp" ]; then
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    echo "installing into .venv ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable ".${extras:+[$extras]}" >&2
    : > "$stamp"
fi
