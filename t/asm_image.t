#!/usr/bin/env perl
# `osvm asm`: listing, refusing, and putting methods into images that then run.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

sub run_osvm {
    my $command = join ' ', map { "'$_'" } $osvm, @_;
    my $output = `$command 2>&1`;
    return ($? >> 8, $output);
}

my $method = <<'TEXT';
method Integer>>factorial
  set sista
  literals
    #printLine:
    'patched'
    var:Console
    #factorial
    methodClass
  code
    pushVar var:Console
    pushLit 'patched'
    send #printLine:
    pop
    pushInt 42
    returnTop
end
TEXT
my $good = write_file('good.asm', $method);

my ($code, $output) = run_osvm('asm', $good);
is($code, 0, 'a sound method is listed');
like($output, qr/send #printLine:/, 'the listing names the selector');

($code, $output) = run_osvm('asm', write_file('deep.asm', $method =~ s/    pop\n/    pop\n    pop\n/r));
is($code, 65, 'a method that the verifier refuses');
like($output, qr/refused by the verifier: pc \d+/, 'where it is refused');

($code, $output) = run_osvm('asm', write_file('bad.asm', $method =~ s/returnTop/retrunTop/r));
is($code, 65, 'a text that is wrong');
like($output, qr/bad\.asm:15:\d+: /, 'where it is wrong');

($code, $output) = run_osvm('asm', $good, "--image=$dir/x.image");
is($code, 64, 'an image without an output is a usage error');

for my $bits (64, 32) {
    my $image = "$dir/$bits.image";
    my $patched = "$dir/$bits.patched.image";
    ($code, $output) = run_osvm('build', "--bits=$bits", '-o', $image,
        '--start=Console printLine: 100 factorial printString. Console quit: 3', 'image');
    is($code, 0, "w$bits: image") or diag($output);
    ($code, $output) = run_osvm('asm', $good, "--image=$image", '-o', $patched);
    is($code, 0, "w$bits: the method is installed") or diag($output);
    ($code, $output) = run_osvm('check', $patched);
    is($code, 0, "w$bits: the image is sound") or diag($output);
    ($code, $output) = run_osvm($patched);
    is($output, "patched\n42\n", "w$bits: the new method runs");
    is($code, 3, "w$bits: and the program ends as it wants");
    ($code, $output) = run_osvm('asm', write_file('unknown.asm', $method =~ s/printLine:/noSuchSelectorAnywhere:/gr),
        "--image=$image", '-o', "$dir/none.image");
    is($code, 65, "w$bits: a symbol the image does not know is refused");
    like($output, qr/no symbol #noSuchSelectorAnywhere:/, "w$bits: by name");
    ok(!-e "$dir/none.image", "w$bits: nothing is written then");
}
done_testing();
