#!/bin/bash
# Each warning of `osvm build`: a source that earns it; by default, by its own option, by -Wall; gone
# with -Wno-...; an error with -Werror.
. t/support/check.sh

compiles() { # options...
    "$osvm" compile "$@" "$dir/source.class.st" "$dir/base.st" > "$dir/messages" 2>&1
}
says() { # 0 or 1: does it?; name
    grep -qF "$text [-W$kind]" "$dir/messages"; [ $? = "$1" ]; check $? "$2"
}

cat > "$dir/base.st" << 'END'
nil subclass: #Object instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'Base'!
!Object methodsFor: 'a'!
known! !
Trait named: #TOne uses: {} category: 'Base'!
!TOne methodsFor: 'a'!
both ^ 1! !
Trait named: #TTwo uses: {} category: 'Base'!
!TTwo methodsFor: 'a'!
both ^ 2! !
END

while IFS='|' read -r kind default text header method; do
    printf 'Class { #name : #Sample, #superclass : #Object, #instVars : [ '"'slot'"' ]%s }\n' "$header" > "$dir/source.class.st"
    printf "$method\n" >> "$dir/source.class.st"
    compiles; says "$default" "$kind: $([ "$default" = 0 ] && echo on || echo off) by default"
    compiles -W"$kind"; says 0 "$kind: -W$kind"
    grep -qE '^'"$dir"'/source.class.st:[0-9]+:[0-9]+: warning: ' "$dir/messages"; check $? "$kind: with its place"
    compiles -Wall; says 0 "$kind: -Wall"
    compiles -Wall -Wno-"$kind"; says 1 "$kind: -Wno-$kind"
    compiles -W"$kind"; [ $? = 0 ]; check $? "$kind: the sources are taken"
    compiles -W"$kind" -Werror; [ $? = 1 ]; check $? "$kind: refused with -Werror"
done << 'END'
undeclared|0|'Nowhere' is not declared: it will be nil||Sample >> foo [ ^ Nowhere ]
unused|0|'b' is never used||Sample >> foo [ | b | ^ slot ]
shadowed|0|'slot' hides another variable of this name||Sample >> foo: slot [ ^ slot ]
unsent|1|no class implements 'nobody'||Sample >> foo [ ^ self known nobody ]
unreachable|0|this is behind a return and is never reached||Sample >> foo [ ^ 1. self known ]
encoding|0|this file is not UTF-8; it is read as Latin-1||Sample >> foo [ ^ '\351' ]
duplicate|0|Sample has two methods foo: the later one is taken||Sample >> foo [ ^ 1 ]\nSample >> foo [ ^ 2 ]
traits|0|Sample gets several methods both from its traits: leave out all but one|, #traits : 'TOne + TTwo'|Sample >> foo [ ^ 1 ]
END
done_testing
