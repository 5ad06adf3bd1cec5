# Sourced by the start scripts. They set DAEMON (a name in /usr/bin) and, if there is one, NEEDS (a daemon that has to
# run before).
RUN=/run/oakestra
PIDFILE=$RUN/$DAEMON.pid
LOG=/var/log/oakestra/$DAEMON.log

# A process that has ended and that nobody has waited for (a zombie) can still be sent signals.
lives() {
	kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status" 2>/dev/null
}

running() {
	pid=$(cat "$RUN/$1.pid" 2>/dev/null) && lives "$pid"
}

# Where NodeEngine's process is NetManager, too, NetManager has none of its own.
is_part() {
	[ "$DAEMON" = NetManager ] && ! /usr/lib/oakestra/apart
}

# Without the address of a cluster there is nothing to work for.
names_cluster() {
	address=$(sed -n 's/.*"cluster_address"[^"]*"\([^"]*\)".*/\1/p' /etc/oakestra/conf.json)
	[ -n "$address" ] && [ "$address" != 0.0.0.0 ]
}

start() {
	if running "$DAEMON"; then
		echo "$DAEMON is running already"
		return 0
	fi
	if is_part; then
		echo "NetManager is not started by itself: netcfg.json has it run in NodeEngine's process (InNodeEngine)"
		return 0
	fi
	if ! names_cluster; then
		echo "$DAEMON not started: /etc/oakestra/conf.json names no cluster"
		return 0
	fi
	if [ -n "${NEEDS:-}" ] && ! running "$NEEDS" && /usr/lib/oakestra/apart; then
		echo "$DAEMON not started: it needs $NEEDS, which is not running"
		return 1
	fi
	mkdir -p "$RUN"
	echo "Starting $DAEMON"
	# not start-stop-daemon: its options differ, and not every system has it
	setsid /usr/lib/oakestra/supervise "$LOG" "/usr/bin/$DAEMON" </dev/null >/dev/null 2>&1 &
	echo $! >"$PIDFILE"
}

stop() {
	if ! running "$DAEMON"; then
		rm -f "$PIDFILE"
		if is_part && running NodeEngine; then
			echo "NetManager runs in NodeEngine's process: /etc/init.d/S99nodeengine stop"
		else
			echo "$DAEMON is not running"
		fi
		return 0
	fi
	echo "Stopping $DAEMON"
	pid=$(cat "$PIDFILE")
	kill -TERM "$pid"
	waited=0
	while lives "$pid"; do
		if [ "$waited" -ge 700 ]; then
			echo "$DAEMON does not end"
			return 1
		fi
		waited=$((waited + 1))
		sleep 0.1
	done
	rm -f "$PIDFILE"
}

status() {
	is_part && ! running "$DAEMON" && exec /etc/init.d/S99nodeengine status
	if running "$DAEMON"; then
		echo "$DAEMON is running (supervised by $(cat "$PIDFILE"))"
	else
		echo "$DAEMON is not running"
		return 3
	fi
}

case "${1:-}" in
start | stop | status) "$1" ;;
restart)
	if [ "$DAEMON" = NetManager ] && running NodeEngine && { is_part || ! running NetManager; }; then
		# NodeEngine's process is NetManager, too, or was when it started, or is to be
		/etc/init.d/S99nodeengine stop && stop && start && exec /etc/init.d/S99nodeengine start
	else
		stop && start
	fi
	;;
*)
	echo "usage: $0 {start|stop|restart|status}"
	exit 64
	;;
esac
