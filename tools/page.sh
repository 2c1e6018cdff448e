#!/bin/sh
# page.sh WEB EMBED OUT.c OUT.bin DEPFILE WORK: builds the page in the folder WEB with esbuild and embeds it.
#
# `node WEB/build.mjs OUTDIR` is all that is asked of web/: it fills the (new, empty) OUTDIR with the files
# to serve, index.html at its root. `none` as WEB gives an empty table. Every file and folder of web/ is
# written to DEPFILE, so ninja builds the page again when one of them changes, comes or goes.
set -eu
web=$1 embed=$2 out_c=$3 out_bin=$4 depfile=$5 work=$6

if [ "$web" = none ]; then
    "$embed" page "$out_c" "$out_bin"
    printf '%s:\n' "$out_c" > "$depfile"
    exit 0
fi
find "$web" \( -name node_modules -o -name dist -o -name '.*' \) -prune -o \( -type f -o -type d \) -print |
    sed -e 's/[ #$]/\\&/g' -e "1i $out_c: \\\\" -e '$!s/$/ \\/' > "$depfile"
if [ ! -f "$web/build.mjs" ] || [ ! -d "$web/node_modules" ]; then
    echo "page.sh: $web has no build.mjs or no node_modules (script/bootstrap installs them): no page in this build" >&2
    "$embed" page "$out_c" "$out_bin"
    exit 0
fi
rm -rf "$work"
mkdir -p "$work"
node "$web/build.mjs" "$work"
[ -s "$work/index.html" ] || { echo "page.sh: web/build.mjs made no index.html" >&2; exit 1; }
"$embed" page "$out_c" "$out_bin" "$work"
