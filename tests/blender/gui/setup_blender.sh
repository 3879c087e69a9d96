#!/bin/bash
# Makes a folder with a small Debian and a complete GUI Blender in it, for tests on a virtual screen.
#
#   setup_blender.sh SUITE DIR      SUITE: trixie (Blender 4.3.2, fixed) or sid (the newest of Debian)
#
# Needs root, apt and debootstrap's archive keys; packages come from where this machine's apt gets
# its own. About 330 MB of downloads, 1.3 GB of disk, two minutes. A finished folder is left alone.
set -euo pipefail
suite=$1 root=$2
stamp=$root/.blender-gui-ready
[ ! -e "$stamp" ] || { echo "ready: $root ($(cat "$stamp"))"; exit 0; }
command -v debootstrap >/dev/null || {
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends debootstrap
}
release=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(SITE)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
  awk -F'|' -v r="$release" '$2 == r && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || { echo "apt of this machine names no Debian mirror" >&2; exit 1; }

if [ ! -e "$root/.bootstrapped" ]; then
  if [ -d "$root" ] && [ -n "$(ls -A "$root")" ]; then
    [ -e "$root/.blender-gui" ] || { echo "$root is in use for something else" >&2; exit 1; }
    find "$root" -mindepth 1 -xdev -delete       # half made: start over; nothing is mounted there
  fi
  mkdir -p "$root"
  touch "$root/.blender-gui"
  debootstrap --variant=minbase "$suite" "$root" "$mirror"
  touch "$root/.bootstrapped"
fi

cp /etc/resolv.conf /etc/hosts "$root/etc/"
apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-)' \
  >"$root/etc/apt/apt.conf.d/90outside" || true
cat >"$root/etc/apt/apt.conf.d/91small" <<'A'
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "false";
Acquire::Retries "3";
A
mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
printf 'force-unsafe-io\npath-exclude=/usr/share/%s/*\n' doc >"$root/etc/dpkg/dpkg.cfg.d/small"
printf 'path-exclude=/usr/share/%s/*\n' man locale >>"$root/etc/dpkg/dpkg.cfg.d/small"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
ln -sf /proc/self/mounts "$root/etc/mtab"

# python3-cattr, python3-requests: Debian's Blender 5.2 needs them for its extension operators and
# does not depend on them.
packages=(blender xvfb xdotool imagemagick x11-utils libgl1 libegl1 libgl1-mesa-dri
          mesa-vulkan-drivers python3-numpy python3-cattr python3-requests)
# In a mount namespace of its own: nothing stays mounted, so the folder can be removed safely.
unshare --mount --propagation private bash -euc '
  root=$1; shift
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
  chroot "$root" apt-get update -q
  chroot "$root" apt-get install -y -q "$@"
  chroot "$root" apt-get clean
  chroot "$root" blender --version | sed -n 1p >"$root/.blender-version"
' setup "$root" "${packages[@]}"
echo "$(cat "$root/.blender-version"), Debian $suite" >"$stamp"
echo "ready: $root ($(cat "$stamp"))"
