#!/bin/bash
# `osvm build`: images of both widths and sets, the same each time; errors leave nothing behind.
. t/support/check.sh

word() { od -An -tu4 -j "$2" -N 4 "$1" | tr -d ' '; }

for bits in 64 32; do
    for set in sista v3; do
        image=$dir/$bits-$set.image
        "$osvm" build image bench/Bench -o "$image" --bits=$bits --bytecodes=$set \
            --start 'Benchmark runAll. Console quit: 0' -Wall -Werror 2> "$dir/messages"
        check $? "the built-in image with $bits bits and $set builds without a warning"
        [ ! -s "$dir/messages" ]; check $? "and says nothing"
        "$osvm" build bench/Bench image -o "$dir/again.image" --bits=$bits --bytecodes=$set \
            --start 'Benchmark runAll. Console quit: 0'
        cmp -s "$image" "$dir/again.image"; check $? "and in another order of sources is the same file"
    done
done
[ "$(word "$dir/64-sista.image" 0)" = 68021 ]; check $? "64 bits: the magic number"
[ "$(word "$dir/32-sista.image" 0)" = 6521 ]; check $? "32 bits: the magic number"
for bits in 64 32; do
    for set in sista v3; do
        "$osvm" check "$dir/$bits-$set.image" > "$dir/messages" 2>&1
        check $? "osvm check finds the image of $bits bits and $set sound"
    done
done
"$osvm" build image -o "$dir/hello.image" \
    --start 'Console printLine: 30 factorial printString. Console quit: 7'
[ "$("$osvm" "$dir/hello.image")" = 265252859812191058636308480000000 ]; check $? "it runs and prints"
"$osvm" "$dir/hello.image" > "$dir/messages"
[ $? = 7 ]; check $? "and ends with the status it gives"
size=$(stat -c %s "$dir/64-sista.image")
[ $((128 + $(word "$dir/64-sista.image" 8))) = "$size" ]; check $? "the header's size is that of the file"

mkdir "$dir/bad"
cat > "$dir/bad/A.class.st" << 'END'
Class { #name : #A, #superclass : #B, #type : #strange }
A >> foo [ ^ 3 + ]
A >> bar [ ^ ) ]
END
cat > "$dir/bad/B.class.st" << 'END'
Class { #name : #B, #superclass : #A }
END
echo old > "$dir/bad.image"
"$osvm" build "$dir/bad" -o "$dir/bad.image" 2> "$dir/messages"
[ $? = 1 ]; check $? "errors in the sources: exit code 1"
[ "$(cat "$dir/bad.image")" = old ]; check $? "and the old file stays"
for text in 'A.class.st:2:18: error: an argument of this operator expected' \
    'A.class.st:3:14: error: an expression expected' 'no shape of instances has this name' 'inherits from itself'; do
    grep -qF "$text" "$dir/messages"; check $? "reported: $text"
done

mkdir "$dir/twice" "$dir/plain"
cat > "$dir/twice/Twice.class.st" << 'END'
Class { #name : #Twice, #superclass : #Object }
Twice >> foo [ ^ 'first' ]
Twice >> foo [ ^ 'second' ]
END
"$osvm" build image "$dir/twice" -o "$dir/twice.image" --start='Console printLine: Twice new foo. Console quit: 0' \
    2> "$dir/messages"
grep -qF 'Twice has two methods foo: the later one is taken [-Wduplicate]' "$dir/messages"
check $? "a method defined twice in a file: a warning"
[ "$("$osvm" "$dir/twice.image")" = second ]; check $? "and the later one counts"
cat > "$dir/twice/Twice.extension.st" << 'END'
Extension { #name : #Twice }
Twice >> foo [ ^ 'third' ]
END
"$osvm" build image "$dir/twice" -o "$dir/x.image" 2> "$dir/messages"
[ $? = 1 ]; check $? "in two files: an error"
sed 's/#type : #compiledMethod/#type : #bytes/' image/Kernel-Methods/CompiledCode.class.st > "$dir/plain/CompiledCode.class.st"
cp -r image "$dir/kernel" && cp "$dir/plain/CompiledCode.class.st" "$dir/kernel/Kernel-Methods"
find "$dir/kernel" -name Bitmap.class.st -delete
"$osvm" build "$dir/kernel" -o "$dir/plain.image" -Wno-undeclared 2> "$dir/messages" &&
    "$osvm" check "$dir/plain.image" > /dev/null
check $? "classes of code may be written as classes of bytes, and there need be no Bitmap"

cat > "$dir/prefix.st" << 'END'
Object subclass: #XxThing
	instanceVariableNames: 'a'
	classVariableNames: ''
	poolDictionaries: ''
	category: 'Test'!

!XxThing methodsFor: 'testing'!
twice
	| b |
	b _ a _ 21.
	^ a + b! !
END
echo 'prefix: Xx' > "$dir/prefix.manifest"
"$osvm" build image "$dir/prefix.st" -o "$dir/prefix.image" --manifest "$dir/prefix.manifest" \
    --start='Console printLine: Thing name , XxThing new twice printString. Console quit: 0' 2> "$dir/messages"
check $? "a manifest takes a prefix from the names of classes"
[ "$("$osvm" "$dir/prefix.image")" = Thing42 ]; check $? "they go by both names, and an underscore assigns"

mkdir "$dir/strip"
cat > "$dir/strip/Used.class.st" << 'END'
Class { #name : #Used, #superclass : #Object }
Used >> performed [ ^ 'performed' ]
Used >> unused [ ^ Unused new ]
END
echo "Class { #name : #Unused, #superclass : #Object }" > "$dir/strip/Unused.class.st"
start='Console printLine: (Used new perform: #performed). Console quit: 5'
for bits in 64 32; do
    "$osvm" build image "$dir/strip" -o "$dir/whole.image" --bits=$bits --start="$start"
    "$osvm" build image "$dir/strip" -o "$dir/strip.image" --bits=$bits --start="$start" --strip="$dir/report" > "$dir/out"
    check $? "$bits bits, --strip: it builds"
    grep -qE '^[0-9]+ of [0-9]+ classes and [0-9]+ of [0-9]+ methods are left out$' "$dir/out"; check $? "and says how much is left out"
    grep -qx 'Unused' "$dir/report" && grep -qx 'Used>>unused' "$dir/report"; check $? "and what"
    ! grep -q 'performed' "$dir/report"; check $? "but nothing that a symbol names"
    [ $(($(stat -c %s "$dir/strip.image") * 10)) -lt $(($(stat -c %s "$dir/whole.image") * 9)) ]; check $? "the image is smaller"
    "$osvm" check "$dir/strip.image" > /dev/null; check $? "and sound"
    [ "$("$osvm" --check "$dir/strip.image")" = performed ]; check $? "and does the same"
    "$osvm" build "$dir/strip" image -o "$dir/again.image" --bits=$bits --start="$start" --strip > /dev/null
    cmp -s "$dir/strip.image" "$dir/again.image"; check $? "and is the same file each time"
done

cat > "$dir/extra.st" << 'END'
'From Squeak6.0'!
Object subclass: #Extra
	instanceVariableNames: 'a b'
	classVariableNames: 'Count'
	poolDictionaries: ''
	category: 'Test'!

!Extra methodsFor: 'testing' stamp: 'x 1/1/2020 00:00'!
excited
	^ 'wow!!'! !

!Extra class methodsFor: 'starting'!
initialize
	Count := 1! !

Extra class instanceVariableNames: 'registry'!
Console printLine: 'from a chunk'!
END
"$osvm" build image "$dir/extra.st" -o "$dir/extra.image" 2> "$dir/messages"
check $? "a chunk file builds"
grep -qaF 'wow!' "$dir/extra.image"; check $? "its doubled marks are undone"
! grep -qaF 'wow!!' "$dir/extra.image"; check $? "all of them"
printf 'Object subclass: #C\n!C methodsFor: %s!\nfoo\n\t^ !! 3 +! !\n' "'x'" > "$dir/wrong.st"
"$osvm" build image "$dir/wrong.st" -o "$dir/x.image" 2> "$dir/messages"
grep -qF 'wrong.st:4:' "$dir/messages"; check $? "errors in chunks have the place in the file"
mkdir "$dir/small" "$dir/patch"
cat > "$dir/small/Thing.class.st" << 'END'
Class { #name : #Thing, #superclass : #Object, #instVars : [ 'a' ], #classVars : [ 'Ready' ] }
Thing class >> initialize [ Ready := true ]
Thing >> name [ ^ 'first' ]
Thing >> ready [ ^ Ready ]
END
cat > "$dir/patch/other.st" << 'END'
Object subclass: #Thing instanceVariableNames: 'b c' classVariableNames: 'Ready' poolDictionaries: '' category: 'Other'!
Object subclass: #Added instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'Other'!
!Thing methodsFor: 'all'!
name
	^ 'second ', self class instSize printString! !
END
printf '# what Thing lacks\nreplace: other.st\n' > "$dir/patch/manifest"
"$osvm" build image "$dir/small" -o "$dir/patched.image" --manifest "$dir/patch/manifest" -Werror \
    --start='Console printLine: Thing new name; printLine: Thing new ready printString; printLine: Added name; quit: 0' \
    2> "$dir/messages"
check $? "a manifest's sources replace classes and methods"
[ "$("$osvm" "$dir/patched.image" | tr '\n' ' ')" = 'second 2 true Added ' ]
check $? "and run"
printf 'initialize: no\n' > "$dir/patch/no-initialize"
"$osvm" build image "$dir/small" -o "$dir/patched.image" --manifest "$dir/patch/no-initialize" \
    --start='Smalltalk := SystemDictionary basicNew. Smalltalk exitNow: (Thing new ready isNil ifTrue: [ 9 ] ifFalse: [ 8 ])'
"$osvm" "$dir/patched.image"; [ $? = 9 ]; check $? "initialize: no: no class was initialized"
"$osvm" build image "$dir/small" "$dir/patch/other.st" -o "$dir/patched.image" 2> "$dir/messages"
grep -qF 'the class Thing is defined twice' "$dir/messages"; check $? "without a manifest they are defined twice"
printf 'replace: none.st\n' > "$dir/patch/manifest"
"$osvm" build image --manifest "$dir/patch/manifest" -o "$dir/x.image" 2> "$dir/messages"
grep -qF 'patch/none.st:1:1: error: cannot read' "$dir/messages"; check $? "a missing file of a manifest is reported"

cat > "$dir/ffi.st" << 'END'
Object subclass: #ExternalObject instanceVariableNames: 'handle' classVariableNames: '' poolDictionaries: '' category: 'FFI'!
ExternalObject subclass: #ExternalFunction instanceVariableNames: 'flags argTypes' classVariableNames: '' poolDictionaries: '' category: 'FFI'!
ExternalFunction subclass: #ExternalLibraryFunction instanceVariableNames: 'name module' classVariableNames: '' poolDictionaries: '' category: 'FFI'!
Object subclass: #ExternalType instanceVariableNames: 'compiledSpec referentClass' classVariableNames: '' poolDictionaries: '' category: 'FFI'!
Object subclass: #Foreign instanceVariableNames: '' classVariableNames: '' poolDictionaries: '' category: 'FFI'!
!ExternalLibraryFunction methodsFor: 'a'!
describe ^ {name. module. flags. argTypes collect: [ :each | each describe ]}! !
!ExternalType methodsFor: 'a'!
describe ^ compiledSpec first -> referentClass! !
!Foreign class methodsFor: 'a'!
length: aString
	<cdecl: ulonglong 'strlen' (char*) module: 'nowhere.so' error: code>
	^ 'failed: ', code printString!
take: a with: b
	<apicall: threaded Point* 'taken' (Point* double void)>
	^ self! !
END
for bits in 64 32; do
    "$osvm" build image "$dir/ffi.st" -o "$dir/ffi.image" --bits=$bits --start='CommandLine start' -Werror
    check $? "$bits bits: foreign calls by pragma build"
    said=$("$osvm" "$dir/ffi.image" -e '((Foreign class compiledMethodAt: #length:) literalAt: 1) describe')
    [ "$said" = "{#strlen. #'nowhere.so'. 0. {134479880->nil. $((168165376 + bits / 8))->nil}}" ]
    check $? "a function with its types is the first literal"
    said=$("$osvm" "$dir/ffi.image" -e '((Foreign class compiledMethodAt: #take:with:) literalAt: 1) describe')
    [ "$said" = "{#taken. nil. 257. {$((196608 + bits / 8))->Point. $((196608 + bits / 8))->Point. 218365960->nil}}" ]
    check $? "structures refer to their class"
    "$osvm" "$dir/ffi.image" -e "Foreign length: 'abc'" | grep -q "failed: "
    check $? "a call to nowhere fails, and the method goes on"
    "$osvm" "$dir/ffi.image" -e "Compiler compile: 'f <cdecl: long ''abs'' (long)>' in: Foreign class classified: 'x'" 2>&1 |
        grep -q 'name:module:callType:returnType:argumentTypes:'
    check $? "at run time the library's class makes the function"
done
sed '/ExternalLibraryFunction/d; /ExternalType/d; /^describe/d' "$dir/ffi.st" > "$dir/noffi.st"
"$osvm" build image "$dir/noffi.st" -o "$dir/ffi.image" 2> "$dir/messages"
grep -qF 'a literal needs a class ExternalLibraryFunction, and there is none' "$dir/messages"
check $? "without the classes for them foreign calls are errors"

printf 'array: Missing\nnonsense\n' > "$dir/manifest"
"$osvm" build image --manifest "$dir/manifest" -o "$dir/x.image" 2> "$dir/messages"
grep -qF 'no class has this name' "$dir/messages"; check $? "a manifest's wrong class is reported"
"$osvm" compile -S image -Werror > "$dir/listing" 2> "$dir/messages"
check $? "compile -S lists the built-in image"
sources=$(grep -hE '^[A-Za-z0-9]+( class)? >> .*\[$' image/*/*.st | wc -l)
[ "$(grep -c '^method ' "$dir/listing")" = "$sources" ]; check $? "with all its methods"
"$osvm" compile "$dir/bad" 2> "$dir/messages"
[ $? = 1 ]; check $? "compile reports errors by its exit code"
"$osvm" build image 2> "$dir/messages"
[ $? = 64 ]; check $? "without -o: exit code 64"
done_testing
