#!/usr/bin/env bash
# make_root.sh SUITE FOLDER: a Debian with a real Blender, an X server without a screen, and a mouse, for the tests marked `gui`.
# SUITE is trixie (Blender 4.3, Python 3.13) or sid (Blender 5.x). Needs root, Linux, and the Debian mirror that apt is set up with.
# Exit code 3: it cannot be made here, and the last line says why. A folder that has been made before is left as it is.
set -euo pipefail
suite=$1 folder=$2

cannot() { echo "no Blender with a window here: $1"; exit 3; }
[ -x "$folder/usr/bin/blender" ] && [ -e "$folder/made" ] && exit 0
[ "$(id -u)" -eq 0 ] || cannot "making a root needs the user root"
command -v apt-get >/dev/null || cannot "making a root needs apt"
unshare -m true 2>/dev/null || cannot "the system gives no mount namespaces"
mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '$1 == "deb" && $2 ~ /^http/ {print $2; exit}' /etc/apt/sources.list 2>/dev/null || true)
[ -n "$mirror" ] || cannot "apt names no mirror"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq debootstrap && dpkg -x debootstrap_*.deb .) >/dev/null 2>&1 || cannot "the mirror $mirror does not answer"
rm -rf "$folder"; mkdir -p "$folder"
DEBOOTSTRAP_DIR="$work/usr/share/debootstrap" "$work/usr/sbin/debootstrap" --variant=minbase \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$folder" "$mirror" >"$work/log" 2>&1 ||
    { tail -3 "$work/log"; cannot "debootstrap failed"; }

cp /etc/resolv.conf /etc/hosts "$folder/etc/"
cat >"$folder/etc/apt/apt.conf.d/90lean" <<'CONF'
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
CONF
packages="blender python3-numpy python3-requests python3-zstandard xvfb xdotool imagemagick x11-utils procps
    libgl1 libegl1 libgl1-mesa-dri libegl-mesa0 mesa-vulkan-drivers"
[ "$suite" = sid ] && packages="$packages python3-cattr"
unshare -m --propagation private bash -euc '
    mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"
    chroot "$0" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        bash -euc "apt-get -qq update; apt-get -qq install -y $1"
' "$folder" "$(echo $packages)" >"$folder/log" 2>&1 || { tail -3 "$folder/log"; cannot "installing Blender failed"; }
touch "$folder/made"
