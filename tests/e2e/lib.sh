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
