# What the test scripts in bash share: the VM under test, a folder of the script's own, checks told in TAP.
set -u
osvm=${OSVM:-build/osvm}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
count=0 failures=0
check() { # status name
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failures=1; fi
}
done_testing() {
    echo "1..$count"
    exit $failures
}
