#!/bin/sh
# Installs what the tests start besides Python, by apt and only as root. Does nothing where all of it is there already.
# Without root, or elsewhere than on Debian, the tests that miss something say so themselves: they skip, or fail with CI=true.
set -eu

missing=""
need() { # command package
    command -v "$1" >/dev/null || missing="$missing $2"
}
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
need promtool prometheus
need amtool prometheus-alertmanager
need chromium chromium
need chromedriver chromium-driver
need java default-jre-headless
need mvn maven

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "packages: missing$missing; tests that need them skip (as root on Debian they would be installed)"
    exit 0
fi

echo "packages: installing$missing"
# Debian starts a service as soon as it is installed; 101 from this file is how an administrator says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # one word per package is meant
apt-get install -y -qq --no-install-recommends $missing >/dev/null
