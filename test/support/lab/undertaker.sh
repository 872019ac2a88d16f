#!/bin/sh
# Undoes what a lab made, however its maker ended.
#
# The lab writes one line for each thing that it makes ("+ NUMBER COMMAND", the command that removes it) and one for
# each that is gone already ("- NUMBER"). The end of standard input, which also comes when the lab is killed with -9,
# runs what is left, newest first. Orderly closing ("close" as the last line) takes the same way, so the way is always
# tested.
trap '' INT TERM HUP QUIT PIPE

last=0
orderly=no
while read -r sign number command; do
	case $sign in
	+)
		eval "undo_$number=\$command"
		last=$number
		;;
	-) unset "undo_$number" ;;
	close) orderly=yes ;;
	esac
done

# A command that the lab had under way when it was killed may still be making something.
[ $orderly = yes ] || sleep 0.5

failed=0
while [ "$last" -gt 0 ]; do
	eval "command=\${undo_$last-}"
	if [ -n "$command" ]; then
		eval "$command" || {
			failed=1
			echo "could not undo: $command" >&2
		}
	fi
	last=$((last - 1))
done
exit $failed
