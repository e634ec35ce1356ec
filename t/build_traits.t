#!/bin/bash
# Traits in sources, as Pharo (Tonel) and Squeak (chunks) write them: what images made of them answer.
. t/support/check.sh

answers() { # expression answer: `image` with the sources in $dir/src
    local got
    got=$("$osvm" "$dir/image" -e "($1) displayString displayNl. nil" 2>&1 | head -n 1)
    [ "$got" = "$2" ]; check $? "$1 -> $2"
    [ "$got" = "$2" ] || echo "#  got $got"
}
build() { # options...
    "$osvm" build image "$dir/src" -o "$dir/image" --start='CommandLine start' "$@" > "$dir/messages" 2>&1
}
reports() { # text
    grep -qF "$1" "$dir/messages"; check $? "reported: $1"
    grep -qF "$1" "$dir/messages" || sed 's/^/#  /' "$dir/messages"
}

mkdir "$dir/src"
cat > "$dir/src/TNamed.trait.st" << 'END'
"I have a name."
Trait { #name : 'TNamed', #instVars : [ 'name' ], #traits : 'TDescribed', #classTraits : 'TDescribed classTrait',
	#classInstVars : [ 'count' ], #category : 'Traits' }
{ #category : 'accessing' }
TNamed >> name [ ^ name ]
{ #category : 'accessing' }
TNamed >> name: aString [ name := aString ]
{ #category : 'printing' }
TNamed >> describe [ ^ 'I am ' , self name ]
TNamed >> at: x put: y [ ^ x -> y ]
TNamed >> ->> another [ ^ name , another name ]
TNamed >> shout [ ^ [ super printString , name asUppercase ] value ]
TNamed class >> named: aString [ self count: self count + 1. ^ self new name: aString; yourself ]
TNamed class >> count [ ^ count ifNil: [ 0 ] ]
TNamed class >> count: aNumber [ count := aNumber ]
END
cat > "$dir/src/TDescribed.trait.st" << 'END'
Trait { #name : #TDescribed, #category : #Traits }
TDescribed >> describe [ ^ 'a thing' ]
TDescribed >> help [ ^ 'help of ' , self describe ]
TDescribed >> name [ ^ self explicitRequirement ]
TDescribed class >> kind [ ^ 'described ' , self name ]
END
cat > "$dir/src/TOther.trait.st" << 'END'
Trait { #name : #TOther, #instVars : [ 'other' ], #category : #Traits }
TOther >> describe [ ^ 'other' ]
TOther >> other [ ^ other ifNil: [ other := 42 ] ]
END
cat > "$dir/src/Person.class.st" << 'END'
Class { #name : #Person, #superclass : #Object, #instVars : [ 'age' ], #traits : 'TNamed', #classTraits : 'TNamed classTrait' }
Person >> age [ ^ age ifNil: [ age := 7 ] ]
Person >> help [ ^ 'own ' , super printString ]
END
cat > "$dir/src/Sum.class.st" << 'END'
Class { #name : #Sum, #superclass : #Object, #traits :
  'TOther + (TNamed @ {#label -> #describe. #from:to: -> #at:put:. #plus: -> #name:. #++ -> #->>} - {#describe. #->>})' }
END
cat > "$dir/src/Clash.class.st" << 'END'
Class { #name : #Clash, #superclass : #Object, #traits : 'TNamed + TOther' }
END
cat > "$dir/src/Precedence.class.st" << 'END'
Class { #name : #Precedence, #superclass : #Object, #traits : 'TNamed withPrecedenceOf: TOther' }
END
cat > "$dir/src/Twice.class.st" << 'END'
Class { #name : #Twice, #superclass : #Object, #traits : 'TDescribed + (TNamed - {#describe}) + TDescribed' }
END
cat > "$dir/src/Slotless.class.st" << 'END'
Class { #name : #Slotless, #superclass : #Object, #instVars : [ 'x' ], #traits : '(TOther -- #other) - {#other}' }
END
cat > "$dir/src/TNamed.extension.st" << 'END'
Extension { #name : #TNamed }
{ #category : #'*extras' }
TNamed >> extra [ ^ 'extra ' , name ]
END
cat > "$dir/src/chunks.st" << 'END'
Trait named: #TChunk uses: {} category: 'Chunks'!
!TChunk methodsFor: 'a'!
hello: who
	"Greets."
	^ 'hello ', who! !
!TChunk classTrait methodsFor: 'b'!
classHello
	^ self name, '!!'! !
Object subclass: #Chunked uses: TChunk @ {#greet: -> #hello:} - {#hello:} instanceVariableNames: 'a' classVariableNames: 'B' poolDictionaries: '' category: 'Chunks'!
Object subclass: #Chunked2 instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'Chunks'!
Chunked2 class uses: TChunk classTrait instanceVariableNames: 'q'!
END
build
check $? "traits build"
reports "Clash gets several methods describe from its traits: leave out all but one [-Wtraits]"
[ "$(grep -c 'warning' "$dir/messages")" = 1 ]; check $? "and nothing else, though each method is compiled several times"
build -Wno-traits -Werror; check $? "-Wno-traits leaves that out"
answers "(Person named: 'Ann') name" "Ann"
answers "(Person named: 'Ann') describe" "I am Ann"
answers "(Person named: 'Ann') help" "own a Person"
answers "(Person named: 'Ann') extra" "extra Ann"
answers "(Person named: 'Ann') shout" "a PersonANN"
answers "((Person named: 'Ann') at: 1 put: 2) printString" "1->2"
answers "Person named: 'A'; named: 'B'; count" "2"
answers "Person kind" "described Person"
answers "Person allInstVarNames asArray = #(age name)" "true"
answers "(Person selectors includes: #name:) & (Person compiledMethodAt: #name:) sourceCode notEmpty" "true"
answers "(Person compiledMethodAt: #name:) methodClass" "Person"
answers "Person protocols includes: #accessing" "true"
answers "Sum new plus: 'Bob'; label" "I am Bob"
answers "Sum new describe" "other"
answers "Sum new other" "42"
answers "(Sum new from: 3 to: 4) printString" "3->4"
answers "Sum new plus: 'x'; ++ (Sum new plus: 'y'; yourself)" "xy"
answers "Sum includesSelector: #->>" "false"
answers "(Sum compiledMethodAt: #from:to:) sourceCode lines first" "from: x to: y"
answers "Sum allInstVarNames asArray = #(other name)" "true"
answers "[Clash new describe] on: MessageNotUnderstood do: [:e | e message selector]" "traitConflict"
answers "Precedence new name: 'p'; describe" "other"
answers "Twice new name: 'two'; name" "two"
answers "Slotless allInstVarNames asArray = #(x)" "true"
answers "Chunked new greet: 'you'" "hello you"
answers "Chunked includesSelector: #hello:" "false"
answers "Chunked classHello, Chunked2 classHello" "Chunked!Chunked2!"
answers "Chunked2 class instVarNames asArray = #(q)" "true"

cat > "$dir/src/Bad.class.st" << 'END'
Class { #name : #Bad, #superclass : #Object, #traits : 'TNone + TLoop',
 #classTraits : 'TNamed @ {#a: -> #describe} @ {#x -> #nothing} + 3' }
END
cat > "$dir/src/TLoop.trait.st" << 'END'
Trait { #name : #TLoop, #traits : 'TPool' }
END
cat > "$dir/src/TPool.trait.st" << 'END'
Trait { #name : #TPool, #traits : 'TLoop - #(nothing)' }
END
cat > "$dir/src/Below.class.st" << 'END'
Class { #name : #Below, #superclass : #TPool }
END
rm "$dir/image"
build; [ $? = 1 ]; check $? "errors in compositions are errors"
reports "Bad.class.st:1:57: error: no trait is named TNone"
reports "TPool.trait.st:1:36: error: the trait TLoop uses itself"
reports "warning: nothing is no selector of this trait"
reports "Bad.class.st:2:49: error: nothing is no selector of this trait"
reports "Bad.class.st:2:28: error: a: takes another number of arguments"
reports "error: a composition of traits expected"
reports "the superclass of Below is missing: no class is named TPool"
[ ! -e "$dir/image" ]; check $? "and there is no image"
done_testing
