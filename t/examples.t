#!/usr/bin/env perl
# Every example runs, and says what it should.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

sub example {
    my ($name, $arguments, $input) = @_;
    write_file('input', $input // '');
    return scalar `$osvm examples/$name.st $arguments <$dir/input 2>&1`;
}

like(example('queens', 6), qr/^( \.)* Q.*\n4 solutions\n\z/s, 'queens');
is(() = example('queens', 6) =~ /Q/g, 6, '... as many as there are rows');
is(example('producers', 200), "600 of 600 consumed\n", 'producers');
is(example('wordcount', "$dir/input 2", "To be, or not to be: that is to say.\n"),
    "      3 to\n      2 be\n", 'wordcount, of a file');
is(example('wordcount', '', "a b\nB\n"), "      2 b\n      1 a\n", '... and of the standard input');
like(example('mandelbrot', 40), qr/^( {40}\n|.*[@#%].*\n|.{40}\n)+\z/, 'mandelbrot, as characters');
is(() = example('mandelbrot', 40) =~ /\n/g, 16, '... so many lines');
example('mandelbrot', "30 $dir/picture.pgm");
is(-s "$dir/picture.pgm", length("P5 30 24 255\n") + 30 * 24, '... and as a picture');

my $maze = example('maze', '12 5 7');
is(() = $maze =~ /\n/g, 11, 'maze');
isnt($maze, example('maze', '12 5 8'), '... another seed, another maze');
is($maze, example('maze', '12 5 7'), '... the same seed, the same maze');

like(example('adventure', '', join "\n", 'north', 'west', 'down', 'take lamp', 'inventory', 'up', 'south', 'drop lamp', ''),
    qr/no way west.*You carry: lamp.*You have won\.\n\z/s, 'adventure');
like(example('adventure', '', "dance\nquit\n"), qr/I know: .*Farewell\.\n\z/s, '... it says what it knows');

write_file('top/sub/file', 'x' x 20_000);
is(example('tree', "$dir/top"), "    19K top/\n    19K   sub/\n    19K     file\n", 'tree');
like(example('tree', "$dir/nothing"), qr/there is no/, '... of what is not there');

is(example('jsonformat', '', '{"b":[1,2.5,"x"],"a":null}'), <<'END', 'jsonformat');
{
  "b": [
    1,
    2.5,
    "x"
  ],
  "a": null
}
END
like(example('jsonformat', '', "{\n  \"a\": ]\n}"), qr/line 2/, '... where the text is wrong');
done_testing();
