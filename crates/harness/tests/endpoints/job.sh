#!/bin/sh
# A job for tests: notes its arguments, then does what --action says.
[ "$1" = job ] || exit 64
shift
arguments="$*"
while [ $# -ge 2 ]; do
    case "$1" in
        --action) action=$2 ;;
        --out) out=$2 ;;
    esac
    shift 2
done
printf '%s\n%s\n%s\n' "$$" "$JOB_GREETING" "$arguments" > "$out.new"
mv "$out.new" "$out"
case "$action" in
    succeed) echo "to stdout" ;;
    fail)
        echo "the first words" >&2
        echo "the last words" >&2
        exit 3
        ;;
    sleep) sleep 60 ;;
    *) exit 65 ;;
esac
