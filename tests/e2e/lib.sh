# lib.sh - steps of the demo: a name, a time, ok or FAILED. Counters live in $WORK so that both halves of the story add up.
step() { # step "sentence" command...
	local title=$1 began ended rc
	shift
	began=$(date +%s%N)
	"$@" >"$WORK/step.log" 2>&1
	rc=$?
	ended=$(date +%s%N)
	if [ $rc = 0 ]; then
		echo x >>"$WORK/passed"
		printf '  ok     %5d ms  %s\n' $(((ended - began) / 1000000)) "$title"
		sed -n 's/^NOTE /                     /p' "$WORK/step.log"
	else
		echo x >>"$WORK/failed"
		printf '  FAILED %5d ms  %s\n' $(((ended - began) / 1000000)) "$title"
		sed 's/^/      | /' "$WORK/step.log" | tail -15
	fi
	return 0
}
covers() { printf '%s\n' "$@" >>"$TOP/build/covers.e2e"; } # last in a step: requirements that it shows
count() { [ -f "$WORK/$1" ] && wc -l <"$WORK/$1" || echo 0; }
refused() { # refused PATTERN command...: it must fail, and say why
	local pattern=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "was accepted: $*"
		return 1
	fi
	grep -qi -- "$pattern" <<<"$out" || { echo "expected \"$pattern\", got: $out"; return 1; }
}
net() { local noun=$1 verb=$2; shift 2; "$BIN/prose-net" "$noun" "$verb" --state "$WORK/net" --master-key "$WORK/keys/net.key" "$@"; }
reader() { printf 'Card %d 00 %02d' $((($1 - 1) / 2)) $((($1 - 1) % 2)); }
iccid() { printf '%d' $((8900101000000000000 + $1 * 10 + $1)); }
name() { local all=(x alice bob carol dave erin frank); echo "${all[$1]}"; }
user() { echo "sip:$(name "$1")@example.org"; }
GROUP=sip:fire@example.org
MANAGER=sip:gms@example.org
OFFERS=239.255.33.4:6003
MEDIA=239.255.33.4:6004
PC5=239.255.33.3:6000
postgres() { # postgres COMMAND...: as a user whom PostgreSQL lets be one
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
postgres_start() { # a cluster of our own below /tmp, on a socket there and nowhere else; sets PG and PG_URL
	local bin
	bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
	PG=$(mktemp -d /tmp/prose-pg.XXXXXX)
	[ "$(id -u)" != 0 ] || chown postgres "$PG"
	chmod 755 "$PG"
	export PG PG_BIN=$bin PG_URL="postgresql://postgres@/postgres?host=$PG"
	(cd "$PG" && postgres "$bin/initdb" -D "$PG/data" -U postgres -A trust --no-sync >"$WORK/initdb.log" 2>&1) || { cat "$WORK/initdb.log"; return 1; }
	postgres_up
}
postgres_up() {
	(cd "$PG" && postgres "$PG_BIN/pg_ctl" -D "$PG/data" -w -t 30 -l "$PG/log" -o "-c listen_addresses='' -k $PG" start >"$WORK/pg.log" 2>&1 </dev/null) || { cat "$WORK/pg.log" "$PG/log"; return 1; }
}
postgres_down() { (cd "$PG" && postgres "$PG_BIN/pg_ctl" -D "$PG/data" -w -m fast stop >"$WORK/pg.log" 2>&1); }
postgres_stop() { [ -z "${PG:-}" ] || { postgres_down; rm -rf "$PG"; }; }
