#!/bin/sh -e
# What the tests need from Debian. Asks nothing; says what is missing when it may not install.
packages="chromium coturn fonts-noto-cjk libatomic1 libgl1 libglib2.0-0 postgresql softhsm2 poppler-utils openssl"
missing=
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else
  echo "please run: apt-get install$missing" >&2; exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -o DPkg::Lock::Timeout=300 update -qq
$sudo apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing
