"""CSV files: written so that no spreadsheet runs what is in them, read as any spreadsheet saves."""

import codecs
import csv
import io
import re

from classroom.course import CourseError
from classroom.names import readable

DELIMITERS = ",;\t"
ENDS = r"\n\r\x0b\x0c\x85\u2028\u2029"  # of lines
LARGEST_FIELD = 2**30  # characters: an answer may hold a picture
# A spreadsheet takes for a formula what begins with one of these signs, some also in their wide
# forms. It may split a file at another delimiter, or at the lines in a field: then what follows
# one of those begins a cell, too. White space and quotes before the sign do not change that.
FORMULA = re.compile(
    rf"(^|[{DELIMITERS}{ENDS}])((?:(?![{DELIMITERS}{ENDS}])[\s\u200b\u2060\ufeff\"])*)('*)"
    r"(?=[=+\-@\uff1d\uff0b\uff0d\uff20])"
)


def harmless(text):
    """Text in which a spreadsheet finds no formula: a `'` stands before each sign that begins one.

    `original` takes these away again.
    """
    return FORMULA.sub(r"\1\2\3'", text)


def original(text):
    """The text that `harmless` was given. A formula sign without a `'` stays as it is."""
    return FORMULA.sub(lambda found: found[1] + found[2] + found[3][1:], text)


def as_csv(columns, rows):
    """The rows (dictionaries) as the text of a CSV file, with what is risky in them made harmless.

    What cannot be seen is written out, as `readable` does.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(cells(columns, row) for row in rows)
    return "\ufeff" + text.getvalue()  # the mark by which spreadsheets know UTF-8


def cells(columns, row):
    """The texts of a row of a CSV file, as they stand in it."""
    return [harmless(readable(row[name], lines=True)) for name in columns]


def read_table(path, columns, told=""):
    """The rows of a CSV file as a spreadsheet saves it: [{column: text}, ...].

    In UTF-8, UTF-16 with a mark, or CP949, with commas, semicolons or tabs. The names of the
    columns are in small letters; what a row lacks is "". Raises CourseError if the file cannot be
    read, is none of these, or lacks one of `columns`; `told` names the file there.
    """
    told = told or readable(path)
    text = decoded(path, told)
    csv.field_size_limit(LARGEST_FIELD)
    try:
        # that at which the first line falls into the columns; where none does, the most frequent
        tried = [next(csv.reader([first_line(text)], delimiter=one), []) for one in DELIMITERS]
        found = [len(set(columns) & set(map(column_name, names))) for names in tried]
        lengths = list(map(len, tried))
        best = max(range(len(tried)), key=lambda index: (found[index], lengths[index]))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[best])
        rows = list(reader)
    except csv.Error as error:
        raise CourseError(f"{told}: save it as CSV in UTF-8 ({error})") from None
    names = list(map(column_name, rows[0])) if rows else []
    if missing := [name for name in columns if name not in names]:
        wanted = f"{', '.join(columns[:-1])} and {columns[-1]}"
        raise CourseError(
            f"{told}: its first line must name the columns {wanted} "
            f"(missing: {', '.join(missing)}), got {readable(', '.join(names)) or 'nothing'}"
        )
    return [dict.fromkeys(names, "") | dict(zip(names, row, strict=False)) for row in rows[1:]]


def decoded(path, told):
    """The text of a file of a spreadsheet, from its first line with anything in it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{told} cannot be read ({error.strerror})") from None
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ["utf-16"] if is_wide else ["utf-8-sig", "cp949"]:
        try:
            text = data.decode(encoding).lstrip("\r\n ")
            break
        except UnicodeDecodeError:
            pass
    else:
        raise CourseError(f"{told}: save it as CSV in UTF-8 (UTF-16 and CP949 are read, too)")
    return re.sub(r"\Asep=.\r?\n", "", text)  # how a file tells Excel its delimiter


def first_line(text):
    return re.split(r"[\r\n]", text, maxsplit=1)[0]


def column_name(text):
    return text.strip().casefold()
