# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # the constants are for who reads this file
# lib.sh - steps of the end-to-end suites: a name, a time, ok or FAILED. Counters live in $WORK so that both halves of a suite add up.
# A suite that reads this file starts again in a world of its own (tests/e2e/world), which ends with everything that it started.
#
# A command that fails, anywhere in a step, fails the step, and nothing after it runs (the trap ERR; pipelines fail with any of
# their commands). Bash looks away inside `a && b || c`, `if`, `while` and `!`: there the script must look itself; tests/lint-checks
# finds lines that do not.
[ -n "${E2E_WORLD:-}" ] || exec "$TOP/tests/e2e/world" "$0" "$@"
exec </dev/null
set -E -o pipefail
PATIENCE=300 # seconds: for what will come however busy the machine is; no check rests on it
strict() { trap 'FAULT=$?; [ "${FUNCNAME[0]:-step}" = step ] || { echo "failed with $FAULT: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2; return $FAULT; }' ERR; }
step() { # step "sentence" command...
	local title=$1 began ended rc before
	shift
	before=" $(descendants $$ | tr '\n' ' ') "
	rm -f "$WORK/step.covers"
	began=$(date +%s%N)
	strict
	"$@" >"$WORK/step.log" 2>&1
	rc=$?
	trap - ERR
	ended=$(date +%s%N)
	if [ $rc = 0 ]; then
		echo x >>"$WORK/passed"
		printf '  ok     %5d ms  %s\n' $(((ended - began) / 1000000)) "$title"
		sed -n 's/^NOTE /                     /p' "$WORK/step.log"
		[ ! -f "$WORK/step.covers" ] || cat "$WORK/step.covers" >>"$TOP/build/covers.e2e"
	else
		echo x >>"$WORK/failed"
		printf '  FAILED %5d ms  %s\n' $(((ended - began) / 1000000)) "$title"
		sed 's/^/      | /' "$WORK/step.log" | tail -15
		end_since "$before"
	fi
	return 0
}
covers() { # covers ID...: requirements that the step shows, if it passes; the status of what stands before stays
	local rc=$?
	printf '%s\n' "$@" >>"$WORK/step.covers"
	return $rc
}
count() { [ -f "$WORK/$1" ] && wc -l <"$WORK/$1" || echo 0; }
total() { # total NAME: the suite's last line, and whether all is well
	echo "$1: $(count passed) steps passed, $(count failed) failed"
	[ "$(count failed)" = 0 ] && [ "$(count passed)" -gt 0 ]
}

# ---- what must be so
# Where these read a pipe (no file is named), they read it to its end, so that who writes into it does not die of SIGPIPE.
grep() { local rc=0; command grep "$@" || rc=$?; drain "${!#}"; return $rc; }
head() { local rc=0; command head "$@" || rc=$?; drain "${!#}"; return $rc; }
drain() { [ -e "$1" ] || [ ! -p /dev/stdin ] || cat >/dev/null; }
UNREACHED="connection refused\|could not connect\|couldn't connect\|failed to connect\|cannot connect\|connection reset\|no such reader"
refused() { # refused PATTERN command...: it must end by itself, with a failure, and say why; a server or a card that is not there is not why
	local pattern=$1 out rc=0
	shift
	[ -n "$pattern" ] || { echo "refused: needs a pattern: $*"; return 1; }
	out=$("$@" 2>&1) || rc=$?
	[ $rc != 0 ] || { echo "was accepted: $*"; return 1; }
	[ $rc -lt 124 ] || { echo "ended with $rc, which is no refusal: $* $out"; return 1; }
	grep -qi -- "$pattern" <<<"$out" || { echo "expected \"$pattern\", got: $out"; return 1; }
	! grep -qi -- "$UNREACHED" <<<"$out" || { echo "not refused, but not reached: $out"; return 1; }
}
passes_over() { # passes_over PATTERN NAME command...: it says why it passes over an offer, and goes on listening until it is told to end
	local pattern=$1 name=$2 p rc=0
	rm -f "$WORK/$name.json" "$WORK/$name.err"
	"${@:3}" >"$WORK/$name.json" 2>"$WORK/$name.err" & p=$!
	await_line "$pattern" "$WORK/$name.err" $p && ! ended $p && absent '"joined"' "$WORK/$name.json" || rc=1
	stop $p
	[ $rc = 0 ] || cat "$WORK/$name.json" "$WORK/$name.err"
	return $rc
}
unreached() { # unreached command...: it must fail, and say that nobody is there
	local out rc=0
	out=$("$@" 2>&1) || rc=$?
	[ $rc != 0 ] && [ $rc -lt 124 ] && grep -qi -- "$UNREACHED" <<<"$out" || { echo "ended with $rc: $out"; return 1; }
}
lacks() { # lacks PATTERN command...: it must succeed, and not say this
	local pattern=$1 out
	shift
	out=$("$@" 2>&1) || { echo "failed: $*: $out"; return 1; }
	! grep -q -- "$pattern" <<<"$out" || { echo "has \"$pattern\": $out"; return 1; }
}
silent() { # silent command...: it must succeed, and say nothing
	local out
	out=$("$@" 2>&1) || { echo "failed: $*: $out"; return 1; }
	[ -z "$out" ] || { echo "expected nothing, got: $out"; return 1; }
}
absent() { # absent PATTERN FILE...: the files are there, and none has this
	local rc=0
	command grep -q "$@" || rc=$?
	[ $rc = 1 ] || { echo "${*:2}: $rc for \"$1\""; return 1; }
}

# ---- waiting for events
await() { # await SECONDS command...: until it succeeds; its words when it does not
	local limit=$1 until=$((SECONDS + $1)) out
	shift
	until out=$("$@" 2>&1); do
		[ $SECONDS -lt $until ] || { echo "waited ${limit} s for: $*"; echo "$out" | tail -5; return 1; }
		sleep 0.05
	done
}
exchange() { # exchange FILE REQUEST client...: its words in FILE; its input stays open until there is an answer
	: >"$1"
	{ printf %b "$2"; await 20 stands "^HTTP/1.1\|alert\|rror" "$1" || true; } | timeout 60 "${@:3}" >"$1" 2>&1 || true
}
stands() { command grep -qs -- "$1" "$2"; } # stands PATTERN FILE
await_line() { # await_line PATTERN FILE [PID]: until it stands there, or the process that is to write it has ended
	local until=$((SECONDS + PATIENCE))
	until stands "$1" "$2"; do
		if [ -n "${3:-}" ] && ended "$3" && ! stands "$1" "$2"; then echo "ended without \"$1\" in $2"; tail -5 "$2"; return 1; fi
		[ $SECONDS -lt $until ] || { echo "waited $PATIENCE s for \"$1\" in $2"; tail -5 "$2"; return 1; }
		sleep 0.02
	done
}
await_socket() { # await_socket PATH PID [LOG]
	local until=$((SECONDS + PATIENCE))
	until [ -S "$1" ] && perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); exit !connect(S, pack_sockaddr_un($ARGV[0]))' "$1"; do # between bind and listen nobody answers
		{ ! ended "$2" && [ $SECONDS -lt $until ]; } || { echo "no socket $1"; [ -z "${3:-}" ] || cat "$3"; return 1; }
		sleep 0.02
	done
}
ended() { [ ! -d "/proc/$1" ] || [ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)" = Z ]; } # a zombie has ended
listening() { command grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F:]* 0A" /proc/net/tcp /proc/net/tcp6; } # listening PORT
smsc_sum() { # smsc_sum NAME: of the sums that our message centre ($SMSC) writes when it is asked: a line more
	local lines
	lines=$(wc -l <"$WORK/smsc.log") && kill -USR1 "$SMSC" && await $PATIENCE longer "$WORK/smsc.log" "$lines" || return 1
	tail -1 "$WORK/smsc.log" | grep -o "\"$1\": [0-9]*" | cut -d' ' -f2
}
longer() { [ "$(wc -l <"$1")" -gt "$2" ]; } # longer FILE LINES
bound() { command grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") " /proc/net/udp; } # bound PORT: a datagram sent there waits for its reader
clock_past() { # what is good for one second is over when the clock, which the programs read too, is two on
	local until=$(($(date +%s) + 2))
	while [ "$(date +%s)" -lt $until ]; do sleep 0.1; done
}
frames() { # frames PCAP PORT: datagrams to that port
	tshark -r "$1" -Y "udp.dstport == $2" -T fields -e frame.time_epoch 2>/dev/null
}
replay() { # replay PCAP ADDRESS:PORT CAPS FILE: what GStreamer makes of the same packets when nothing hurries it
	timeout 120 gst-launch-1.0 -q --no-fault filesrc location="$1" ! pcapparse dst-ip="${2%:*}" dst-port="${2#*:}" caps="$3" ! identity ! srtpdec ! rtppcmadepay ! alawdec ! filesink sync=false buffer-mode=2 location="$4"
}
same_end() { # same_end EXPECTED FILE [OCTETS]: the file is the end of what was expected, and at least that long
	local n
	n=$(stat -c %s "$2") || return 1
	[ "$n" -gt 0 ] && [ "$n" -ge "${3:-1}" ] && cmp <(tail -c "$n" "$1") "$2" || { echo "${2##*/}: $n octets of ${3:-some}"; return 1; }
}

# ---- what a step has started
descendants() { # descendants PID: all below it but this very search
	ps -eo pid=,ppid= | awk -v root="$1" -v self="$BASHPID" '{ parent[$1] = $2 } END { for (p in parent) { if (p == self || parent[p] == self) continue
		for (q = p; (q in parent) && q != root; q = parent[q]) if (q == self) break
		if (q == root && p != root) print p } }'
}
end_all() { # end_all PID...: SIGTERM, and SIGKILL for who does not hear; in bounded time
	local pid until=$((SECONDS + 10))
	[ $# -gt 0 ] || return 0
	kill "$@" 2>/dev/null || true
	for pid in "$@"; do
		while ! ended "$pid" && [ $SECONDS -lt $until ]; do sleep 0.02; done
		ended "$pid" || kill -9 "$pid" 2>/dev/null || true
	done
	return 0
}
end_since() { # end_since " PID... ": everything below this shell that was not there
	local pid fresh=()
	for pid in $(descendants $$); do [[ $1 == *" $pid "* ]] || fresh+=("$pid"); done
	end_all "${fresh[@]}"
}
stop() { # stop PID...: ours, with all below them, however they end
	local pid all=("$@")
	for pid in "$@"; do mapfile -t -O ${#all[@]} all < <(descendants "$pid"); done
	end_all "${all[@]}"
	wait "$@" 2>/dev/null || true
}
cleanup() { # for the trap EXIT
	end_since " "
	postgres_stop
	rm -rf "$WORK"
}
trap 'exit 143' TERM INT HUP

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
postgres_start() { # a cluster of our own below /tmp (or $PG_ABOVE), on a socket there and nowhere else; sets PG and PG_URL
	local bin
	bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
	PG=$(mktemp -d "${PG_ABOVE:-/tmp}/prose-pg.XXXXXX")
	[ "$(id -u)" != 0 ] || chown postgres "$PG"
	chmod 755 "$PG"
	export PG PG_BIN=$bin PG_URL="postgresql://postgres@/postgres?host=$PG"
	(cd "$PG" && postgres "$bin/initdb" -D "$PG/data" -U postgres -A trust --no-sync >"$WORK/initdb.log" 2>&1) || { cat "$WORK/initdb.log"; return 1; }
	postgres_up
}
postgres_up() {
	(cd "$PG" && postgres "$PG_BIN/pg_ctl" -D "$PG/data" -w -t 120 -l "$PG/log" -o "-c listen_addresses='' -k $PG" start >"$WORK/pg.log" 2>&1 </dev/null) || { cat "$WORK/pg.log" "$PG/log"; return 1; }
}
postgres_down() { (cd "$PG" && postgres "$PG_BIN/pg_ctl" -D "$PG/data" -w -t 60 -m fast stop >"$WORK/pg.log" 2>&1); }
postgres_stop() { [ -z "${PG:-}" ] || { postgres_down; rm -rf "$PG"; }; }
