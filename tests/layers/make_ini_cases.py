"""Makes ini_cases.json: what Python 2.7's SafeConfigParser says to the cases below (spec 2.1).

Run with Python 2.7: ``python2.7 tests/layers/make_ini_cases.py > tests/layers/ini_cases.json``.
"""

import json
import os
import sys
import tempfile

CASES = [
    "[a]\nk=1\n",
    "[a]\nk: 1\n",
    "[a]\nk : a=b\n",
    "[a]\nk = a:b=c\n",
    "[a]\nKeY Two=  x y  \n",
    "[a]\nk=\n",
    "[a]\nk\n",
    '[a]\nk=""\n',
    '[a]\nk="" ; c\n',
    '[a]\nk="x"\n',
    "[a]\n# c\n; c\nrem c\nREM\nRem: c\nrem=5\nremark=1\nk=2\n",
    "[a]\nk=1 ; c\nl=1;2\nm=1;2 ; x\nn=1 # x\no=1\t;x\n",
    "[a]\nk=;x\n",
    "[a]\nk= ;x \n",
    "[a]\nk= ; x\n",
    "[a]\nk=;\n",
    "[a]\nk=; \n",
    "[a]\nk=a\n b\n  # c\n\t; d\n rem e\n",
    "[a]\nk=a\n\n# c\n b\n",
    "[a]\nk=a\n b ; c\n",
    "[a]\nk=a\n   \n b\n",
    "[a]\nk=\n b\n",
    "[a]\nk=a\n [b]\n l=1\n",
    "[a]\n k=1\n",
    "[a]\n\tk=1\nl=2\n",
    " [a]\nk=1\n",
    "k=1\n[a]\n",
    "\n# c\nk=1\n[a]\n",
    "\xef\xbb\xbf[a]\nk=1\n",
    "[]\nk=1\n",
    "[a]\n[]\n",
    "[a]\n[]=3\n",
    "[a\nk=1\n",
    "[b]\n[a\nk=1\n",
    "[b]\n[a=1\nk=1\n",
    "[a]]\nk=1\n",
    "[a]b]\nk=1\n",
    "[[a]\nk=1\n",
    "[ c ]\nk=1\n",
    "[A]\nk=1\n[a]\nk=2\n",
    "[a] text = 5\nk=1\n",
    "[a]; c\nk=1\n",
    "[a]\nk=1\n[b]\nk=2\n[a]\nl=3\nk=4\n",
    "[a]\nk=1\nK=2\n",
    "[a]\nk=1\n x\nk=2\n",
    "[a]\nk=1\n[b]\n x\n",
    "[a]\nk=1\n[b]\n[a]\n x\n",
    "[DEFAULT]\nk=1\nl=2\n[a]\nl=3\n[b]\n",
    "[a]\nm=%(k)s\n[DEFAULT]\nk=1\n",
    "[default]\nk=1\n[a]\n",
    "[DEFAULT ]\nk=1\n[a]\n",
    "[a]\nk=5\nl=%(k)s,%(K)s\n",
    "[a]\nk=50%%\nl=%(k)s\n",
    "[a]\nk=%(nope)s\nl=1\n",
    "[a]\nk=5%\nl=%x\nm=%(k\nn=%()s\no=%(l)d\n",
    "[a]\nk=%(k)s\n",
    "[a]\nk=%(l)s\nl=%(k)s\n",
    "[a]\nk=%(__name__)s\n",
    "[a]\n__name__=b\nk=%(__name__)s\n",
    "[DEFAULT]\n__name__=b\n[a]\nk=%(__name__)s\n",
    "[a]\nk=1\n a=%(l)s\nl=x\n",
    "".join(["[a]\n"] + ["k{}=%(k{})s\n".format(i, i + 1) for i in range(12)] + ["k12=x\n"]),  # noqa: UP032 (runs in Python 2)
    "".join(["[a]\n"] + ["k{0}=%(k{1})s;%(k{1})s\n".format(i, i + 1) for i in range(4)] + ["k4=x%%\n"]),
    "[a]\r\nk=1\r\n b\r\n\r\n# c\r\nl=;x\r\n[b]\r\nk=2 ; x\r\n",
    "[a]\nk=1\r\x0b\x0c\nl=a\x0bb\n",
    "[a]\nk=1\rl=2\n",
    "[a]\n\x0bk=1\n",
    "[a]\nk=1\n=2\n:3\n4\n",
    "[a]\nk==1\nl:=2\nm=:3\n",
    "[a]\nk  =1\n k=2\n",
    "[a]\nk\xc3\x84=\xc3\x84\n[\xc3\xa9]\nk=1\n",
    "[a]\nk=\xa01\xa0\n",
    "[a]\nfoo bar\nk=1\nbaz\n",
    "[a]\nk=1",
    "[a]\nk=1\n b",
    "",
    "\n\n",
    "# only\n",
    "[a]",
    "[a]\nk=1 ;2 ;3\n",
    "[a]\nk: ;\n x\n",
    '[a]\nk=""\n x\n',
    "rem x\n[a]\nrem\tx\nremx=1\n",
    "[a]\nk=a ;b\n c;d ; e\n",
]


def answer(text):
    import ConfigParser  # Python 2 only

    path = tempfile.mkstemp()[1]
    try:
        with open(path, "wb") as file:
            file.write(text)
        parser = ConfigParser.SafeConfigParser()
        try:
            parser.read(path)
        except ConfigParser.MissingSectionHeaderError as error:
            return {"error": [error.lineno]}
        except ConfigParser.ParsingError as error:
            return {"error": [line for line, _ in error.errors]}
        return {"sections": [[name, values(parser, name)] for name in parser.sections()]}
    finally:
        os.remove(path)


def values(parser, section):
    import ConfigParser  # Python 2 only

    found = {}
    for key in parser.options(section):
        try:
            found[key] = parser.get(section, key)
        except ConfigParser.InterpolationError:
            found[key] = None
    return found


if __name__ == "__main__":
    table = [{"text": text.decode("latin-1"), "answer": answer(text)} for text in CASES]
    json.dump(table, sys.stdout, indent=1, sort_keys=True, encoding="latin-1")
    sys.stdout.write("\n")
