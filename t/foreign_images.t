#!/usr/bin/env perl
# Images as other people's tools write them: in a file that was longer before, with a prefix before the
# names of all classes.
#   REAL_IMAGES              a folder of images by others: each is checked, judged by the validator in Python,
#                            listed, rewritten for the other width and back, and run in both
#   REFERENCE, REFERENCE32   the command of a VM for 64-bit and for 32-bit images, to run them as well
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use Test::More;
use lib 't/support';
use OsvmTest;

my $validate  = `python3 -c 'print(1)' 2>/dev/null` ? 'python3 t/support/validate_image.py' : undef;
my %reference = (64 => $ENV{REFERENCE}, 32 => $ENV{REFERENCE32});

# What a VM does with an image, in a folder of its own: output, the files it leaves, whether it ended well.
sub behaviour {
    my ($command, $image) = @_;
    my $home = tempdir(CLEANUP => 1);
    copy($image, "$home/a.image");
    my $said = `cd $home && timeout -k 5 20 $command a.image 2>/dev/null </dev/null`;
    my $end  = $? == 0 ? 'ends' : ($? >> 8) == 124 ? 'goes on' : 'fails';
    my %left = map { s{.*/}{}r => read_file($_) } grep { !/a\.image$/ } glob("$home/*");
    my $text = join "\n", $said, $end, map { my $t = $left{$_} =~ s/-?\d+/N/gr; "$_: $t" } sort keys %left;
    return $text;
}

for my $bits (64, 32) {
    my $sample = "$dir/$bits.image";
    is(system("$build/t/heap_image_sample.$bits $sample >/dev/null"), 0, "w$bits: a sample is made");
    my $data = read_file($sample);
    write_file("$dir/long.image", $data . 'left over ' x 100);
    my $said = `$osvm check $dir/long.image 2>&1`;
    is($?, 0, "w$bits: an image in a file that is too long is sound");
    like($said, qr/header: warning: 1000 bytes behind the objects/, "w$bits: ... with a warning");
    is(system("$osvm convert --bits=$bits $dir/long.image -o $dir/again.image"), 0, "w$bits: it is saved again");
    is(-s "$dir/again.image", length $data, "w$bits: ... without what was behind");

    # The name becomes longer within the padding of the string: its format says two bytes less of that.
    is(system($osvm, 'build', "--bits=$bits", '--strip', '--start=Smalltalk quit', '-o', "$dir/named.image", 'image'), 0,
        "w$bits: an image is built");
    $data = read_file("$dir/named.image");
    my $padded = 'Array' . "\0" x 3;
    my $count  = 0;
    while ($data =~ /\Q$padded\E/g) {
        my $at = pos($data) - 8;
        next unless (ord(substr $data, $at - 5, 1) & 31) == 16 + 3;
        substr($data, $at, 8) = "MyArray\0";
        substr($data, $at - 5, 1) = chr((ord(substr $data, $at - 5, 1) & ~31) | 16 + 1);
        $count++;
    }
    cmp_ok($count, '>', 0, "w$bits: Array is found");
    write_file("$dir/named.image", $data);
    like(`$osvm info $dir/named.image 2>&1`, qr/ MyArray\n(?s:.*) (?:Byte)?Symbol\n/, "w$bits: classes are named though Array has a prefix");
}

for my $image (glob(($ENV{REAL_IMAGES} // '') . '/*.image')) {
    my ($name) = $image =~ m{([^/]+)\.image$};
    my ($bits) = `$osvm info $image` =~ /: (\d\d)-bit/;
    ok($bits, "$name: has a width") or next;
    like(`$osvm check $image 2>&1`, qr/: sound: /, "$name: check finds it sound");
    is(system("$validate $image >/dev/null"), 0, "$name: so does the validator") if $validate;
    is(system("$osvm $_ $image >/dev/null 2>&1"), 0, "$name: $_") for 'info --json', 'dump', 'dump --objects', 'decompile';
    my $other = 96 - $bits;
    is(system("$osvm convert --bits=$other $image -o $dir/there.image && $osvm convert --bits=$bits $dir/there.image -o $dir/back.image"),
        0, "$name: is rewritten there and back");
    my $expected = behaviour($osvm, $image);
    is(behaviour($osvm, "$dir/$_.image"), $expected, "$name: $_, it does the same") for qw(there back);
    for (["$dir/back.image", $bits], ["$dir/there.image", $other], [$image, $bits]) {
        my ($file, $width) = @$_;
        next unless $reference{$width};
        # An image whose code depends on when a process is interrupted may go astray there; three attempts.
        my $there = '';
        for (1 .. 3) {
            $there = behaviour($reference{$width}, $file);
            last if $there eq $expected;
        }
        is($there, $expected, "$name: as another VM of $width bits does");
    }
}
done_testing();
