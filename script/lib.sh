# lib.sh - what the scripts share; sourced, never run. Leaves the caller in the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 3
}

# build_dir DIR [MESON OPTION...]: sets DIR up (again, when the options differ) and builds it.
build_dir() {
    local dir=$1 wanted
    shift
    wanted="$* CC=${CC:-}"
    if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$dir"
        meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
            cat "$dir.log" >&2
            rm -rf "$dir"
            die "meson could not set up $dir"
        }
        mv "$dir.log" "$dir/setup.log"
        printf '%s' "$wanted" >"$dir/.options"
    fi
    if [ -t 2 ]; then # the terminal shows ninja's own progress
        ninja -C "$dir" >&2
    else
        ninja -C "$dir" >"$dir/build.log" 2>&1 || {
            tail -n 60 "$dir/build.log" >&2
            die "$dir did not build; the whole output is in $dir/build.log"
        }
    fi
}

# The build everybody uses: optimised, with debug information, at build/farthing. Warnings of a compiler
# we have not met do not stop it; script/test looks for them.
build_release() { build_dir build; }
