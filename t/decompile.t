#!/bin/bash
# `osvm decompile`: every method of the images we build compiles to the same code again.
. t/support/check.sh

for bits in 64 32; do
    for set in sista v3; do
        for sources in keep drop; do
            name="$bits bits, $set, sources: $sources"
            "$osvm" build image bench/Bench t/decompile -o "$dir/x.image" --bits=$bits --bytecodes=$set \
                --sources=$sources -Wno-unused -Wno-undeclared
            check $? "$name: an image"
            "$osvm" decompile --summary --verbose "$dir/x.image" > "$dir/out" 2>&1
            check $? "$name: is decompiled"
            grep -qE '^([0-9]+) methods: \1 compile to the same code again' "$dir/out"
            check $? "$name: every method comes back" || head -40 "$dir/out" | sed 's/^/# /'
        done
    done
done
"$osvm" build image t/decompile -o "$dir/x.image" -Wno-unused -Wno-undeclared
"$osvm" decompile "$dir/x.image" 'Samples>>nested' > "$dir/out"
for text in '1 to: 10 do: [ :i |' '1 to: j - i do: [ :k | sum := sum + k ]' '1 to: 5 do: [ :i | sum := sum - i ]'; do
    grep -qF "$text" "$dir/out"; check $? "nested loops: $text"
done
"$osvm" decompile "$dir/x.image" 'Samples' > "$dir/out"
for text in 'x caseOf: {' 'otherwise: [ #more ]' 'y := self foo ifNil: [ self bar ]' 'ifNotNil: [ :z | z bar: z ]' \
    '] repeat' '16rFFFFFFFFFFFFFFFFFFFF' '<author: '"'me'"' version: #(1 2)>' '<primitive: 60 error: #code>' \
    '10 to: 1 by: -3 do: [ :i | self foo: i ]'; do
    grep -qF -- "$text" "$dir/out"; check $? "in the text: $text"
done
"$osvm" decompile "$dir/x.image" 'Samples>>nothing' 2> "$dir/err"
[ $? = 64 ]; check $? "a method that is not there: exit code 64"
grep -qF 'Samples>>nothing' "$dir/err"; check $? "and it is named"
done_testing
