#!/usr/bin/env perl
# Planted faults: one line of the JIT is changed, the checked core or back end is built with it out of tree,
# and the checks have to say what is broken. By default a few; all with OSVM_TEST_LONG.
use strict;
use warnings;
use File::Basename;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;
use lib 't/support';
use OsvmTest;

my $cc    = $ENV{CC}    || 'cc';
my $objects = "$build/obj/64.checked";
plan skip_all => 'built without JIT' unless -e "$build/lib/osvm/64/jit-x64.so";
plan skip_all => 'sanitizers link otherwise' if sanitizers();

# [what, file, line that is there once, line instead, options, what is said]
my $small = '--code-zone=48K';
my $torture = '--torture=scavenge:50,collect:2000,move';
my @faults = (
    ['values stay on the stack', 'kernel/jit/sim.c',
        'op_v(&u->b, JIT_DROP, (SWord)(u->spilled - u->depth));',
        'op_v(&u->b, JIT_DROP, (SWord)(u->spilled - u->depth) - 1);', '', qr/C1: at machine pc \w+ there are \d+ words/],
    ['a frame state of the wrong bytecode', 'kernel/jit/bytecodes.c',
        'build_map(b, MAP_SEND, unit_next_pc(u));', 'build_map(b, MAP_SEND, unit_this_pc(u));', '',
        qr/C1: at bytecode pc \d+ a frame has/],
    ['new code is not seen to refer to young objects', 'kernel/jit/methods.c',
        'heap_is_young(&vm->heap, pool[i]))', 'heap_is_young(&vm->heap, pool[i]) && 0)', $torture, qr/C[134]: /],
    ['code goes, and caches still call it', 'kernel/jit/methods.c',
        'link_remove(vm, piece);', '', "$torture", qr/C5: a cache leads to|C1: a frame waits at/],
    ['code moves, and the entry of frames does not', 'kernel/jit/zone.c',
        'pool[POOL_FRAMED] -= piece->distance;', ';', $small, qr/C3: the entry of frames/],
    ['code moves, and return addresses do not', 'kernel/jit/zone.c',
        '*pc -= piece->distance;', ';', $small, qr/C1: |no frame state/],
    ['a cache made for a site that is gone stays', 'kernel/jit/link.c',
        'if (cache) /* no site calls it */', 'if (0)', '--torture=code-full:9,seed:3', qr/C5: \d+ sites call \d+ polymorphic caches/],
    ['a collection while code is made', 'kernel/jit/compile.c',
        'u->b.pool[POOL_CODE] = u->code;', 'u->b.pool[POOL_CODE] = u->code; u->b.vm->heap.mm->ops->scavenge(u->b.vm->heap.mm, TENURE_BY_AGE);', '',
        qr/C6: objects move/],
    ['a fork while code is made', 'kernel/jit/compile.c',
        'u->b.pool[POOL_CODE] = u->code;', 'u->b.pool[POOL_CODE] = u->code; jit_before_fork(u->b.vm);', '',
        qr/C6: a fork/],
    ['C is called with its stack misaligned', 'plugins/jit-x64/abi.c',
        '{RBP, RBX, R14, R12, R13}', '{RBP, RBX, R14, R12}', '', qr/C is called with a stack that is not aligned/],
);
@faults = @faults[0, 1, 2, 4, 6 .. $#faults] unless $ENV{OSVM_TEST_LONG};

sub link_with {
    my ($dir, $file, $text) = @_;
    my ($plugin, @sources) = $file =~ m{^plugins/([^/]+)} ? ($1, glob("plugins/$1/*.c"))
        : ('core-osvm', map { chomp; $_ } `find kernel/vm kernel/debug kernel/jit -name '*.c'`);
    make_path("$dir/64", "$dir/" . dirname($file));
    write_file("$dir/$file", $text);
    my $flags = "-std=gnu11 -O1 -w -fPIC -fvisibility=hidden -fno-strict-aliasing -pthread -D_GNU_SOURCE "
        . "-DOSVM_CHECKED=1 -DWORD_BITS=64 -DOSVM_VERSION='\"0.1\"' -Iinclude -I. -I" . dirname($file);
    my @rest = map { (my $object = "$objects/$_") =~ s/\.c$/.o/; $object } grep { $_ ne $file } @sources;
    system("$cc $flags -c -o $dir/fault.o $dir/$file") == 0 or return 0;
    my @libraries = map { "$build/obj/lib$_.checked.a" } qw(compiler bytecode base);
    return system("$cc -shared -pthread -o $dir/64/$plugin.checked.so $dir/fault.o @rest @libraries -ldl -lm") == 0;
}

# Collects, meets many classes at a send, compiles methods anew and throws them away, switches processes.
my $program = <<'END';
| sum things |
sum := 0.
things := { 3. 4.5. $a. #foo. 'bar'. 3/4. 5 @ 6. nil. true. OrderedCollection new. Set new }.
1 to: 300 do: [ :i |
	things do: [ :each | sum := sum + each printString size + each hash printString size ].
	i \\ 100 = 0 ifTrue: [ Object compile: 'foo', i printString, ' ^ ', i printString ].
	i \\ 50 = 0 ifTrue: [ [ sum := sum + 1 ] fork. Processor yield ] ].
(1 to: 2000) inject: 0 into: [ :a :b | sum := sum + (a + b) printString size. a + b ].
Object compile: 'again: n
	n = 0 ifTrue: [ self touch. ^ 1 ].
	^ (self again: n - 1) + 1'.
Object compile: 'touch | m | m := Object compiledMethodAt: #again:. m literalAt: 1 put: (m literalAt: 1)'.
1 to: 20 do: [ :i | sum := sum + (3 again: 10) ].
sum > 0
END

my $run = "timeout 1800 $osvm --check --jit=x64,threshold=1,loop-threshold=1";
is(`$run $small $torture -e "\$PROGRAM" 2>&1`, "true\n", 'without a fault') for $ENV{PROGRAM} = $program;
for my $fault (@faults) {
    my ($what, $file, $there, $instead, $options, $said) = @$fault;
    my $dir = tempdir(CLEANUP => 1);
    my $text = read_file($file);
    my $count = () = $text =~ /\Q$there\E/g;
    is($count, 1, "$what: the line is there, once");
    $text =~ s/\Q$there\E/$instead/;
    ok(link_with($dir, $file, $text), "$what: it builds") or next;
    my $output = `$run --plugin-path=$dir $options -e "\$PROGRAM" 2>&1`;
    like($output, $said, "$what: caught, as it should be");
}
done_testing();
