#!/usr/bin/env perl
# Images go to and fro between osvm and another VM of the same format: a program (t/reference/Trip) that carries what
# is easily lost looks at each station whether it is as it was left, changes it, and saves itself. Both widths, both
# bytecode sets, interpreted, compiled and simulated; `osvm check` and the validator in Python find every file sound.
#   REFERENCE, REFERENCE32   the command of a VM for 64-bit and for 32-bit images; without them osvm travels alone
#   REFERENCE_IMAGE          a 32-bit image by others that ends by itself, to be rewritten for both widths
# The other VM checks its own heap and ends at the first warning: in turn at all collections and after become
# (`-leakcheck 15`), and at full ones, after become and its free memory (41). Its other checks find fault with states
# of its own making: amid a scavenge that makes a pinned object old, and while it stores a segment.
use strict;
use warnings;
use File::Copy qw(copy);
use Test::More;
use lib 't/support';
use OsvmTest;

my $validate  = `python3 -c 'print(1)' 2>/dev/null` ? 'python3 t/support/validate_image.py' : undef;
my $plugins   = `$osvm plugins`;
my %reference = (64 => $ENV{REFERENCE}, 32 => $ENV{REFERENCE32});

sub is_sound {
    my ($image, $what) = @_;
    like(`$osvm check $image 2>&1`, qr/: sound: /, "$what: check finds the file sound");
    return unless $validate;
    my $said = `$validate $image 2>&1`;
    is($?, 0, "$what: so does the validator") or diag($said);
}

# Each VM goes one station further.
sub travel {
    my ($name, $image, @machines) = @_;
    my $station = 0;
    for my $machine (@machines) {
        my ($how, $command) = @$machine;
        my $what  = "$name: station $station, $how";
        my $said  = `timeout 1800 $command $image 2>&1`;
        is($?, 0, "$what: saves itself and ends");
        is($said, $station ? "station $station\n" : '', "$what: all is as it was");
        is_sound($image, $what);
        $station++;
    }
}

for my $bits (64, 32) {
    my @own = (['osvm', "$osvm"], ['checked', "$osvm --check --leak-check"], ['sweep', "$osvm --jit=none --gc=sweep,lazy"]);
    my @hot = $bits == 64 && $plugins =~ /^jit +x64 /m ? (['hot', "$osvm --jit=x64,threshold=2"]) : ();
    push @hot, ['simulated', "$osvm --jit=x64,threshold=2 --cpu=sim"] if @hot && $plugins =~ /^cpu +sim /m;
    my @other = map { ["the reference, $_", "$reference{$bits} -leakcheck $_ -exitonwarn"] } $reference{$bits} ? (15, 41) : ();
    for my $set (qw(sista v3)) {
        my $image = "$dir/$bits$set.image";
        for my $start ('startAlone', @other ? 'start' : ()) {
            is(system($osvm, 'build', "--bits=$bits", "--bytecodes=$set", "--start=Trip $start", '-o', $image, 'image', 't/reference/Trip'), 0,
                "w$bits, $set: an image is built");
            travel("w$bits, $set", $image, @own, $set eq 'v3' ? @hot : ()) if $start eq 'startAlone';
        }
        SKIP: {
            skip "w$bits: no other VM is given (REFERENCE" . ($bits == 32 ? '32' : '') . ')', 1 unless @other;
            copy($image, "$dir/copy.image");
            travel("w$bits, $set, from here", "$dir/copy.image", $own[0], $other[0], $own[1], @other, $own[2], $other[1],
                map { $_, $other[0] } @hot);
            copy($image, "$dir/copy.image");
            travel("w$bits, $set, from there", "$dir/copy.image", @other, $own[0], $other[0], $own[1]);
        }
    }
    SKIP: {
        skip "w$bits: no image by others is given, or no VM to run it (REFERENCE_IMAGE)", 1 unless $ENV{REFERENCE_IMAGE} && @other;
        my $answer = `timeout 1800 $osvm $ENV{REFERENCE_IMAGE} 2>&1`;
        my $status = $?;
        my $image  = "$dir/other.image";
        is(system("$osvm convert --bits=$bits $ENV{REFERENCE_IMAGE} -o $image"), 0, "w$bits: the image by others is rewritten");
        is_sound($image, "w$bits: the image by others");
        for my $machine (@own, @other) {
            my ($how, $command) = @$machine;
            is(`timeout 1800 $command $image 2>&1`, $answer, "w$bits: the image by others, $how: says what it says unchanged");
            is($?, $status, "w$bits: the image by others, $how: and ends so");
        }
    }
}
done_testing();
