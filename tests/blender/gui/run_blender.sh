#!/bin/bash
# Runs the Blender of setup_blender.sh on a virtual screen of its own, drawn by the CPU (Mesa).
#
#   run_blender.sh ROOT WORK LIMIT SHARED_FOLDER... -- BLENDER ARGUMENT...
#
# WORK and the shared folders are seen inside at the same paths. Beside Blender a loop runs the
# shell commands that appear as WORK/shell/NAME.sh (xdotool, import, ps) and writes NAME.out; the
# file WORK/stop ends everything, and so does LIMIT (seconds). All of it lives in mount, process and
# network namespaces of its own: when this script ends, however it ends, nothing stays mounted or
# running; two of them share no screen (X sockets belong to the network); nothing is downloaded.
# BLENDER_* and PCGS_* variables reach Blender; HOME is new and empty.
set -euo pipefail
root=$(cd "$1" && pwd) work=$2 limit=$3
shift 3
shares=("$work")
while [ "$1" != -- ]; do shares+=("$1"); shift; done
shift
for d in "${shares[@]}"; do
  case $d in / | /tmp | /dev* | /proc* | /sys*) echo "cannot share $d" >&2; exit 2 ;; esac
done
[ -e "$root/.blender-gui-ready" ] || { echo "no Blender in $root: run setup_blender.sh" >&2; exit 1; }
mkdir -p "$work/shell" "$work/python"
B_SHARES=$(printf '%s\n' "${shares[@]}")
export B_ROOT=$root B_WORK=$work B_SHARES

outer='
  mount -t tmpfs tmpfs "$B_ROOT/tmp"
  mount -t tmpfs tmpfs "$B_ROOT/home"
  mount --rbind /sys "$B_ROOT/sys"
  mount --rbind /dev "$B_ROOT/dev"
  mount -t proc proc "$B_ROOT/proc"
  while IFS= read -r d; do        # after the tmpfs: a shared folder may lie under /tmp, /home
    mkdir -p "$B_ROOT$d"
    mount --bind "$d" "$B_ROOT$d"
  done <<<"$B_SHARES"
  mkdir -p "$B_ROOT/tmp/.X11-unix" "$B_ROOT/home/artist" "$B_ROOT/tmp/run"
  chmod 1777 "$B_ROOT/tmp/.X11-unix"; chmod 700 "$B_ROOT/tmp/run"
  keep=(HOME=/home/artist PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C.UTF-8
        XDG_RUNTIME_DIR=/tmp/run LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe DISPLAY=:77
        VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json
        MESA_SHADER_CACHE_DIR=/var/cache/mesa-shaders B_WORK="$B_WORK")
  while IFS= read -r v; do keep+=("$v=${!v}"); done < <(compgen -e | grep -E "^(BLENDER|PCGS)_" || true)
  exec env -i "${keep[@]}" chroot "$B_ROOT" bash -uc "$B_INNER" inner "$@"
'
B_INNER='
  cd "$B_WORK"
  Xvfb :77 -screen 0 1600x900x24 -nolisten tcp -noreset >xvfb.log 2>&1 &
  for i in $(seq 100); do [ -e /tmp/.X11-unix/X77 ] && break; sleep 0.1; done
  blender --window-geometry 0 0 1600 900 "$@" >blender.log 2>&1 &
  blender=$!
  (while kill -0 $blender 2>/dev/null; do sleep 0.2; done
   cat crash.txt /tmp/*.crash.txt >>blender.log 2>/dev/null; : >gone) &
  while [ ! -e stop ]; do
    for f in shell/*.sh; do
      [ -e "$f" ] || continue
      bash "$f" >"${f%.sh}.part" 2>&1; printf "\nstatus %s\n" $? >>"${f%.sh}.part"
      rm "$f"; mv "${f%.sh}.part" "${f%.sh}.out"
    done
    sleep 0.02
  done
  kill $blender 2>/dev/null
  wait $blender 2>/dev/null
'
export B_INNER
exec timeout --foreground -k 5 "$limit" \
  unshare --mount --pid --net --fork --kill-child --propagation private bash -euc "$outer" outer "$@"
