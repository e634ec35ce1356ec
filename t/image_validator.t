#!/bin/bash
# `osvm check` and an independent validator agree on sound and on damaged images; what convert makes
# of an image satisfies both, and comes back the same.
validate="python3 t/support/validate_image.py"
command -v python3 > /dev/null || { echo "1..0 # SKIP no python3"; exit 0; }
. t/support/check.sh
for bits in 32 64; do
    program=${BUILD:-build}/t/heap_image_sample.$bits
    "$program" "$dir/$bits" > /dev/null
    check $? "a sample of $bits bits is made"
    $validate "$dir/$bits" > /dev/null && "$osvm" check "$dir/$bits" > /dev/null
    check $? "$bits bits: both find it sound"
    other=$((96 - bits))
    "$osvm" convert --bits=$other "$dir/$bits" -o "$dir/to$other"
    check $? "$bits bits: converted to $other"
    $validate "$dir/to$other" > /dev/null && "$osvm" check "$dir/to$other" > /dev/null
    check $? "$bits bits: both find the result sound"
    "$osvm" convert --bits=$bits "$dir/to$other" -o "$dir/back" &&
        $validate "$dir/back" > /dev/null && "$osvm" check "$dir/back" > /dev/null
    check $? "$bits bits: and back again"
    [ "$(stat -c %s "$dir/back")" = "$(stat -c %s "$dir/$bits")" ]
    check $? "$bits bits: what came back is as large as the first"
    for gap in 0 65536; do
        python3 "t/support/split_image.py" "$dir/$bits" "$dir/split" $gap
        "$osvm" check "$dir/split" > /dev/null
        check $? "$bits bits: sound in two segments, $gap bytes apart"
        "$osvm" convert --bits=$other "$dir/split" -o "$dir/splitto" &&
            cmp -s -i $((other * 2)) "$dir/splitto" "$dir/to$other" # each saving makes a new hash in the header
        check $? "$bits bits: ... which converts to the same"
        "$osvm" convert --bits=$bits "$dir/split" -o "$dir/joined" &&
            cmp -s -i $((bits * 2)) "$dir/joined" "$dir/$bits"
        check $? "$bits bits: ... and to the same of its own width"
        [ -z "$(ls "$dir" | grep tmp)" ]
        check $? "$bits bits: ... with nothing left behind"
    done
    "$program" "$dir/mourning" waiting > /dev/null
    "$osvm" convert --bits=$other "$dir/mourning" -o "$dir/mourningto" &&
        $validate "$dir/mourningto" > /dev/null && "$osvm" check "$dir/mourningto" > /dev/null &&
        ! cmp -s -i $((other * 2)) "$dir/mourningto" "$dir/to$other"
    check $? "$bits bits: objects that wait for finalization are converted"
    "$osvm" convert --bits=$bits "$dir/mourningto" -o "$dir/mourningback" &&
        [ "$(stat -c %s "$dir/mourningback")" = "$(stat -c %s "$dir/mourning")" ] &&
        ! cmp -s -i $((bits * 2)) "$dir/mourning" "$dir/$bits"
    check $? "$bits bits: ... and back, the queue with them"
    refused=0
    for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
        python3 - "$dir/$bits" "$dir/bad" $seed <<'P'
import random, sys
random.seed(int(sys.argv[3]))
data = bytearray(open(sys.argv[1], 'rb').read())
word = 8 if data[2] else 4
end = len(data) - 3 * (4092 * word + 16) - 16   # what follows is empty stacks
at = random.randrange(end * 3 // 4, end) // word * word
data[at:at + word] = b'\x18' + b'\x00' * (word - 1)   # an address in no segment, or a strange header
open(sys.argv[2], 'wb').write(data)
P
        $validate "$dir/bad" > "$dir/one"; one=$?
        "$osvm" check "$dir/bad" > "$dir/two" 2>&1; two=$?
        [ $one != 0 ] && refused=$((refused + 1))
        [ $two -lt 128 ] && { [ $one = 0 ] || [ $two != 0 ]; } ||
            { echo "# seed $seed: validator $one, check $two"; cat "$dir/one" "$dir/two"; refused=-100; }
    done
    [ $refused -gt 3 ]
    check $? "$bits bits: check finds what the validator finds in damaged images ($refused)"
done
done_testing
