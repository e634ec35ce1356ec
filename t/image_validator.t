#!/bin/bash
# `osvm check` and an independent validator agree on sound and on damaged images; what convert makes
# of an image satisfies both, and comes back the same.
osvm=${OSVM:-build/osvm}
here=$(dirname "$0")
validate="python3 $here/support/validate_image.py"
count=0 failed=0
say() { count=$((count + 1)); [ "$1" = 0 ] && echo "ok $count - $2" || { echo "not ok $count - $2"; failed=1; }; }
command -v python3 > /dev/null || { echo "1..0 # SKIP no python3"; exit 0; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
for bits in 32 64; do
    program=${BUILD:-build}/t/heap_image_sample.$bits
    "$program" "$folder/$bits" > /dev/null
    say $? "a sample of $bits bits is made"
    $validate "$folder/$bits" > /dev/null && "$osvm" check "$folder/$bits" > /dev/null
    say $? "$bits bits: both find it sound"
    other=$((96 - bits))
    "$osvm" convert --bits=$other "$folder/$bits" -o "$folder/to$other"
    say $? "$bits bits: converted to $other"
    $validate "$folder/to$other" > /dev/null && "$osvm" check "$folder/to$other" > /dev/null
    say $? "$bits bits: both find the result sound"
    "$osvm" convert --bits=$bits "$folder/to$other" -o "$folder/back" &&
        $validate "$folder/back" > /dev/null && "$osvm" check "$folder/back" > /dev/null
    say $? "$bits bits: and back again"
    [ "$(stat -c %s "$folder/back")" = "$(stat -c %s "$folder/$bits")" ]
    say $? "$bits bits: what came back is as large as the first"
    for gap in 0 65536; do
        python3 "$here/support/split_image.py" "$folder/$bits" "$folder/split" $gap
        "$osvm" check "$folder/split" > /dev/null
        say $? "$bits bits: sound in two segments, $gap bytes apart"
        "$osvm" convert --bits=$other "$folder/split" -o "$folder/splitto" &&
            cmp -s -i $((other * 2)) "$folder/splitto" "$folder/to$other" # each saving makes a new hash in the header
        say $? "$bits bits: ... which converts to the same"
        "$osvm" convert --bits=$bits "$folder/split" -o "$folder/joined" &&
            cmp -s -i $((bits * 2)) "$folder/joined" "$folder/$bits"
        say $? "$bits bits: ... and to the same of its own width"
        [ -z "$(ls "$folder" | grep tmp)" ]
        say $? "$bits bits: ... with nothing left behind"
    done
    "$program" "$folder/mourning" waiting > /dev/null
    "$osvm" convert --bits=$other "$folder/mourning" -o "$folder/mourningto" &&
        $validate "$folder/mourningto" > /dev/null && "$osvm" check "$folder/mourningto" > /dev/null &&
        ! cmp -s -i $((other * 2)) "$folder/mourningto" "$folder/to$other"
    say $? "$bits bits: objects that wait for finalization are converted"
    "$osvm" convert --bits=$bits "$folder/mourningto" -o "$folder/mourningback" &&
        [ "$(stat -c %s "$folder/mourningback")" = "$(stat -c %s "$folder/mourning")" ] &&
        ! cmp -s -i $((bits * 2)) "$folder/mourning" "$folder/$bits"
    say $? "$bits bits: ... and back, the queue with them"
    refused=0
    for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
        python3 - "$folder/$bits" "$folder/bad" $seed <<'P'
import random, sys
random.seed(int(sys.argv[3]))
data = bytearray(open(sys.argv[1], 'rb').read())
word = 8 if data[2] else 4
end = len(data) - 3 * (4092 * word + 16) - 16   # what follows is empty stacks
at = random.randrange(end * 3 // 4, end) // word * word
data[at:at + word] = b'\x18' + b'\x00' * (word - 1)   # an address in no segment, or a strange header
open(sys.argv[2], 'wb').write(data)
P
        $validate "$folder/bad" > "$folder/one"; one=$?
        "$osvm" check "$folder/bad" > "$folder/two" 2>&1; two=$?
        [ $one != 0 ] && refused=$((refused + 1))
        [ $two -lt 128 ] && { [ $one = 0 ] || [ $two != 0 ]; } ||
            { echo "# seed $seed: validator $one, check $two"; cat "$folder/one" "$folder/two"; refused=-100; }
    done
    [ $refused -gt 3 ]
    say $? "$bits bits: check finds what the validator finds in damaged images ($refused)"
done
echo "1..$count"
exit $failed
