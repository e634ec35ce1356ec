#!/bin/bash
# The compiler at run time: `osvm -e` in the built-in image of both widths, and what it says of errors.
. t/support/check.sh

answers() { # bits expected expression...
    local bits=$1 expected=$2
    shift 2
    local said
    said=$("$osvm" --bits=$bits --check -e "$@" 2>&1)
    [ "$said" = "$expected" ]; check $? "$bits bits: $*"
    [ "$said" = "$expected" ] || echo "# said: $said"
}

for bits in 64 32; do
    answers $bits 265252859812191058636308480000000 '30 factorial'
    answers $bits 42 '[ :x | x * 2 ] value: 21'
    answers $bits 21 '| sum | sum := 0. 1 to: 6 do: [ :i | sum := sum + i ]. sum'
    answers $bits 153 '{1. 2. 3. 4. 5. 6. 7. 8. 9. 10. 11. 12. 13. 14. 15. 16. 17} inject: 0 into: [ :a :b | a + b ]'
    answers $bits '(1/8)' '1e-3 * 125'
    answers $bits 65510 '16rffe6'
    answers $bits 7 '#(1 $a (3 4) foo #[5 6] 16rFFFFFFFFFFFF) indexOf: 16rFFFFFFFFFFFF. 7'
    answers $bits "nil" '^ nil'
    answers $bits $'1\n2' 1 2
    answers $bits 10 '[ :a | | s | s := 0. [ :b | s := a + b ] value: 4. s ] value: 6'
    answers $bits '36' "Compiler compile: 'tripled ^ self * 3' in: Integer classified: 'arithmetic'. 12 tripled"
    answers $bits '6' "Compiler compile: 'tripled ^ super class == 3' in: Integer class classified: 'x'.
        Compiler compile: 'area ^ x * y' in: Point classified: 'x'. (2 @ 3) area"
    answers $bits '5' "Compiler evaluate: 'x + y' for: 2 @ 3"
    answers $bits '11' "| d | d := Dictionary new. d at: #x put: 8.
        Compiler evaluate: 'z := x + y' for: 2 @ 3 variables: d ifFail: [ :e | e printString ]. d at: #z ifAbsent: [ 0 ]"
    answers $bits "'2:2 an argument of this operator'" \
        "Compiler evaluate: '1 +
 +' for: nil ifFail: [ :e | e line printString , ':' , e column printString , ' ' , e expected ]"
    answers $bits true "(((Compiler new compile: 'foo ^ self bar: 1 + x  baz' className: 'X' instanceNames: #('x')
        outerNames: #() options: 0 wideStrings: nil) at: 1) at: 7) = #(3 24 27 4 19 27 5 12 27)"
    answers $bits $'\'isNil\n\t"Is the receiver nil?"\n\t^ false\'' '(Object methodDict at: #isNil) sourceCode'
    answers $bits "'twice  ^ self * 2 \"é\"'" "Compiler compile: 'twice  ^ self * 2 \"é\"' in: Integer classified: 'x'.
        (Integer methodDict at: #twice) sourceCode"
done
for text in '3 + ' 'Undeclared + 1' "'open"; do
    "$osvm" -e "$text" > "$dir/out" 2>&1
    [ $? = 1 ]; check $? "exit code 1: $text"
    grep -q '1:[0-9]*: ' "$dir/out"; check $? "with line and column"
done
mkdir "$dir/empty"
OSVM_IMAGE=$dir/none.image "$osvm" -e 1 2> "$dir/err"
[ $? = 66 ]; check $? "no built-in image: exit code 66"
grep -q none.image "$dir/err"; check $? "and it is named"
done_testing
