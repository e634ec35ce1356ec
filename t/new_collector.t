#!/usr/bin/env perl
# The example collector, built out of tree against the installed headers alone, passes the suite that
# ours pass, and runs the built-in image.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

is(install_tree(), undef, 'the headers are installed') or BAIL_OUT('no headers');
system("cp -r examples/gc-minimal '$dir/example'") == 0 or BAIL_OUT('no example');
my $sanitize = sanitizers();
my $log = `make -C '$dir/example' PREFIX='$dir/usr' CFLAGS='-O2 -Werror -Wno-unused-parameter $sanitize' CC='$ENV{CC}' 2>&1`;
is($?, 0, 'the example builds, without a warning') or diag($log);

my $lines = () = `cat examples/gc-minimal/minimal.c` =~ /\n/g;
cmp_ok($lines, '<', 300, "it is short: $lines lines");

for my $bits (32, 64) {
    for my $variant ('', '.checked') {
        my $file = "$dir/example/$bits/gc-minimal$variant.so";
        my $said = `'$build/t/heap_gc_conformance.$bits' '$file' 2>&1`;
        is($?, 0, "conformance suite, $bits bits$variant");
        my @failed = grep { /^not ok/ } split /\n/, $said;
        is(scalar @failed, 0, '... nothing failed') or diag(join "\n", @failed);
        like($said, qr{^ok 1 - gc/minimal/w$bits/}m, '... and it was this collector');
    }
    my $program = '| all | 1 to: 8 do: [:j | all := OrderedCollection new. '
        . '1 to: 20000 do: [:i | all add: i printString]. ]. all size';
    for my $gc ('minimal', 'minimal:checked') {
        my $said = `'$osvm' --plugin-path='$dir/example' --bits=$bits --gc=$gc --torture=collect:40000 --leak-check -e '$program' 2>&1`;
        is($said, "20000\n", "--gc=$gc runs the image, $bits bits");
    }
}
# The verifier has nothing to say against it, and names what is broken in copies of it with faults.
for my $bits (32, 64) {
    for my $variant ('', '.checked') {
        my $said = `'$osvm' verify-gc --events=20000 '$dir/example/$bits/gc-minimal$variant.so' 2>&1`;
        is($?, 0, "verify-gc, $bits bits$variant");
        like($said, qr/^nothing is broken$/m, '... says so') or diag($said);
    }
}
# One that moves objects.
system("cp -r examples/gc-slide '$dir/slide'") == 0 or BAIL_OUT('no example');
$log = `make -C '$dir/slide' PREFIX='$dir/usr' CFLAGS='-O2 -Werror -Wno-unused-parameter $sanitize' CC='$ENV{CC}' 2>&1`;
is($?, 0, 'the moving example builds, without a warning') or diag($log);
for my $bits (32, 64) {
    for my $variant ('', '.checked') {
        my $said = `'$osvm' verify-gc --events=20000 '$dir/slide/$bits/gc-slide$variant.so' 2>&1`;
        is($?, 0, "the moving example, verify-gc, $bits bits$variant") or diag($said);
    }
    my $said = `'$osvm' --plugin-path='$dir/slide' --bits=$bits --gc=slide --torture=collect:20000 --leak-check -e '(1 to: 20000) asOrderedCollection size' 2>&1`;
    is($said, "20000\n", "--gc=slide runs the image, $bits bits");
}
my $source = read_file('examples/gc-minimal/minimal.c') or die;
my @faults = (
    ['a function that is missing', '.barrier = minimal_barrier,', '',
     qr/^BROKEN  the vtable is complete.*\n\s+model: the vtable has no function 'barrier'/m],
    ['memory that is not aligned', "m->allocations++;\n        return start;", "m->allocations++;\n        return start + 4;",
     qr/^BROKEN  memory that is allocated is aligned.*\n.*answers 0x\w+ for 16 bytes: that is not aligned/m],
    ['free memory that is not there', '.free_bytes = m->free_bytes,', '.free_bytes = m->free_bytes + 64,',
     qr/statistics claim \d+ free bytes, but free chunks have \d+/],
    ['buffers that are too short', '*end = *start + bytes;', '*end = *start + bytes - 8;',
     qr/^BROKEN  buffers to promote into\n.*too short/m],
    ['classes that are not marked', 'm->classes[object_class_index(object)] = 1;', '',
     qr/random events behind the shims.*\n.*names no class/],
    ['forwarders that stay', '*slot = follow(*slot);', '', qr/random events against.*\n.*a forwarder, after a full collection/],
    ['weak slots that are strong', 'end = heap_fixed_fields(m->gc.heap, object);', ';',
     qr/random events against.*\n.*holds 0x\w+ instead of nil\n.*\nnew r\d+ weak/m],
    ['ephemerons nobody hears of', 'mm->ops->found_ephemeron(mm, object);', ';',
     qr/random events behind.*\n.*holds 0x\w+, no object.*\n.*\nnew r\d+ ephemeron/m],
    ['dead objects that stay', '(sweeping && !is_marked(m, object))', 'false',
     qr/^BROKEN  dead objects are reclaimed\n\s+model: \d+ bytes of dead objects were not reclaimed/m],
    ['roots that are not visited', 'mm->ops->visit_roots(mm, mark_slot, m);', '',
     qr/the class table holds 2 classes instead of 13/],
    ['a heap it cannot take over', "if (object_class_index(object) == CLASS_FREE || (sweeping && !is_marked(m, object)))",
     'static bool free; bool before = free; free = object_class_index(object) == CLASS_FREE; '
     . 'if (free || (sweeping ? !is_marked(m, object) : before))',
     qr/random events against.*\n.*free chunk.*\n.*\n(?:.*\n)?collector own$/m],
    ['a crash', 'mm->ops->visit_roots(mm, mark_slot, m);', 'mm->ops->visit_roots(mm, NULL, m);',
     qr/^BROKEN  many collections.*\n\s+(crash: SIGSEGV|check:)/m],
    ['a loop without end', 'trace(m);', 'do trace(m); while (m->live > 4000);',
     qr/^BROKEN  deep lists.*\n\s+hang: no progress/m],
);
for my $fault (@faults) {
    my ($what, $good, $bad, $words) = @$fault;
    my $copy = $source;
    my $at = index $copy, $good, $what eq 'a loop without end' ? index($copy, 'static void mark_everything') : 0;
    ok($at >= 0, "$what: the example has the line") or next;
    substr($copy, $at, length $good) = $bad;
    write_file('example/minimal.c', $copy);
    system("make -s -C '$dir/example' PREFIX='$dir/usr' CFLAGS='-O1 -w $sanitize' CC='$ENV{CC}' 64/gc-minimal.so") == 0
        or fail("$what: built");
    my $said = `'$osvm' verify-gc --events=20000 --patience=2 '$dir/example/64/gc-minimal.so' 2>&1`;
    is($? >> 8, 1, "$what: something is broken");
    like($said, $words, '... and what it is is said');
}
done_testing();
