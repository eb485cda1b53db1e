"""Validators: whether a number that looks like personal data can be somebody's.

A pattern only proposes. What has a key (a check digit or two) is held against it, what has a range against
the range, and what its issuer set aside for examples or fiction is nobody's and stays. Every validator takes
the characters as they stand in the text, separators included.

The ranges are written out here on purpose: `ipaddress.is_global` answers differently from one Python to the
next, and a corpus must not.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

Validator = Callable[[str], bool]

#: What separates the groups of a number.
_BETWEEN = re.compile("[^0-9A-Za-z]+")

#: RFC 2606 and 6761, and ends of a unit's or a file's name that only look like a domain.
_NO_DOMAIN = frozenset(
    "invalid example test localhost local internal service socket timer mount automount target slice scope "
    "swap path device html htm php xml json conf txt png jpg gif svg pdf".split()
)
_AT, _DOT = re.compile(r"@|[\[(](?:at|arobase)[\])]"), re.compile(r" ?[\[(](?:dot|point)[\])] ?")
_EXAMPLES = re.compile(r"(?:^|\.)example\.(?:com|net|org|edu)$")

#: IANA special-purpose registries: blocks that are nobody's own address.
_NOT_PUBLIC_4 = [
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
    ).split()
]
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]

#: ISO 13616 registry: how long an IBAN of a country is.
_IBAN_LENGTHS = {
    country: int(length)
    for length, countries in (
        line.split(":")
        for line in (
            "15:NO|16:BE|18:DK FI FK FO GL NL SD|19:MK SI|20:AT BA EE KZ LT LU MN XK|21:CH HR LI LV"
            "|22:BG BH CR DE GB GE IE ME RS VA|23:AE GI IL IQ OM SO TL|24:AD CZ ES MD PK RO SA SE SK TN VG"
            "|25:LY PT ST|26:IS TR|27:BI DJ FR GR IT MC MR SM|28:AL AZ BY CY DO GT HN HU LB NI PL SV"
            "|29:BR EG PS QA UA|30:JO KW MU YE|31:MT SC|32:LC|33:RU"
        ).split("|")
    )
    for country in countries.split()
}

#: ITU-T E.164: country codes in service that have no row of their own.
_COUNTRY_CODES = frozenset(
    "7 20 27 30 31 34 36 39 40 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 "
    "86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 "
    "234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 "
    "260 261 262 263 264 265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 "
    "370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 "
    "505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 "
    "681 682 683 685 686 687 688 689 690 691 692 850 852 853 855 856 880 886 960 961 962 963 964 965 966 "
    "967 968 970 971 972 973 974 975 976 977 992 993 994 995 996 998".split()
)
#: ARCEP's numbering plan: numbers set aside for films and books.
_FICTION_FR = ("19900", "26191", "35301", "46571", "53649", "63998")
#: OFCOM's numbering plan: area and mobile codes (corporate and shared-cost numbers are no person's).
_CODES_CH = frozenset("21 22 24 26 27 31 32 33 34 41 43 44 52 55 56 61 62 71 74 75 76 77 78 79 81 91".split())
_FREE_NANP = frozenset("800 822 833 844 855 866 877 888 900".split())

_CANTONS = frozenset("AG AI AR BE BL BS FR GE GL GR JU LU NE NW OW SG SH SO SZ TG TI UR VD VS ZG ZH".split())


def _compact(raw: str) -> str:
    return _BETWEEN.sub("", raw).upper()


def _national(raw: str, code: str) -> str:
    """The number without its country code, trunk zero and separators."""
    digits = _compact(raw)
    if raw.startswith(("+", "(+")):
        digits = digits[len(code) :]
    elif digits.startswith("00" + code):
        digits = digits[2 + len(code) :]
    return digits.removeprefix("0")


def luhn(raw: str) -> bool:
    """Check digit of ISO/IEC 7812-1, annex B."""
    digits = [int(c) for c in reversed(_compact(raw))]
    return sum(digits[0::2] + [sum(divmod(2 * d, 10)) for d in digits[1::2]]) % 10 == 0


def email(raw: str) -> bool:
    """An address whose domain somebody may own."""
    domain = _DOT.sub(".", _AT.split(raw.lower())[-1].strip())
    return domain.rsplit(".", 1)[-1] not in _NO_DOMAIN and not _EXAMPLES.search(domain)


def ipv4(raw: str) -> bool:
    """A public address; see `ipv4_alone` for one without a word that announces it."""
    try:
        address = ipaddress.IPv4Address(raw)
    except ValueError:
        return False
    return not any(address in block for block in _NOT_PUBLIC_4)


def ipv4_alone(raw: str) -> bool:
    """A public address too long to be the number of a version or of a section, and not an OID's beginning."""
    return len(raw) >= 10 and ipv4(raw)


def ipv6(raw: str) -> bool:
    """A global unicast address."""
    try:
        address = ipaddress.IPv6Address(raw)
    except ValueError:
        return False
    return address in _UNICAST_6 and not any(address in block for block in _NOT_PUBLIC_6)


def nir(raw: str) -> bool:
    """French social security number, fifteen characters; its key is 97 less the rest of the number by 97.

    Corsica's 2A counts as 19 and 2B as 18. Provisional numbers begin with 3, 4, 7 or 8.
    """
    number = _compact(raw)
    return nir_without_key(raw[:-2]) and int(number[-2:]) == 97 - _nir_number(number[:13]) % 97


def nir_without_key(raw: str) -> bool:
    """The thirteen characters before the key: department, commune and rank are never zero."""
    number = _compact(raw)
    return number[5:7] != "00" and number[7:10] != "000" and number[10:13] != "000"


def _nir_number(number: str) -> int:
    return int(number.replace("2A", "19").replace("2B", "18"))


def national_number_be(raw: str) -> bool:
    """Belgian national number: 97 less the first nine digits by 97, with a 2 before them from 2000 on."""
    number = _compact(raw)
    month, day, rank, key = int(number[2:4]), int(number[4:6]), int(number[6:9]), int(number[9:])
    # A number given without a known sex or to somebody outside the register has 20 or 40 more in its month.
    dated = month % 20 <= 12 and month < 60 and day <= 31
    keys = (97 - int(century + number[:9]) % 97 for century in ("", "2"))
    return dated and 0 < rank < 999 and key in keys


def enterprise_be(raw: str) -> bool:
    """Belgian enterprise number: the last two digits are 97 less the first eight by 97."""
    number = _compact(raw).removeprefix("BE")
    return int(number[8:]) == 97 - int(number[:8]) % 97


def avs(raw: str) -> bool:
    """Swiss AVS number: an EAN-13 that begins with Switzerland's 756."""
    digits = [int(c) for c in _compact(raw)]
    return (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0


def sin(raw: str) -> bool:
    """Canadian social insurance number: Luhn; none begins with 0 or 8."""
    return _compact(raw)[0] not in "08" and luhn(raw)


def ramq(raw: str) -> bool:
    """Québec health insurance number: four letters of the name, then a birth; a woman's month has 50 more."""
    number = _compact(raw)
    month, day = int(number[6:8]), int(number[8:10])
    return 1 <= (month - 50 if month > 50 else month) <= 12 and 1 <= day <= 31


def iban(raw: str) -> bool:
    """ISO 13616: the country's length, and 1 left over by 97 with the first four characters put last."""
    number = _compact(raw)
    if len(number) != _IBAN_LENGTHS.get(number[:2]) or not 2 <= int(number[2:4]) <= 98:
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


def card(raw: str) -> bool:
    """Payment card: a network's first digits and length, and Luhn."""
    number = _compact(raw)
    if len(number) == 15:
        known = number[:2] in ("34", "37")
    else:
        head = int(number[:4])
        known = number[0] == "4" or 5100 <= head <= 5599 or 2221 <= head <= 2720 or head == 6011
    return known and len(set(number)) > 2 and luhn(number)


def siret(raw: str) -> bool:
    """French establishment: Luhn, for its company too; La Poste's digits add up to a multiple of five."""
    number = _compact(raw)
    post = number.startswith("356000000") and sum(map(int, number)) % 5 == 0
    return luhn(number[:9]) and (luhn(number) or post)


def isbn(raw: str) -> bool:
    """ISO 2108: thirteen characters with the check digit of an EAN, or ten by 11."""
    number = _compact(raw)
    if len(number) == 13:
        return number[:3] in ("978", "979") and avs(number)
    return (
        len(number) == 10
        and sum((10 - i) * (10 if c == "X" else int(c)) for i, c in enumerate(number)) % 11 == 0
    )


def phone_fr(raw: str) -> bool:
    """Nine digits after the 0; not a service's 08, not of fiction, not a row of consecutive numbers."""
    number = _national(raw, "33")
    pairs = [int(number[i : i + 2]) for i in range(1, 9, 2)]
    counted = [b - a for a, b in zip([int(number[0]), *pairs], pairs, strict=False)]
    given = len(number) == 9 and number[0] in "12345679" and not number.startswith(_FICTION_FR)
    return given and set(counted) != {1}


def phone_be(raw: str) -> bool:
    """Eight digits after the 0, nine for a mobile; 070, 077, 078, 080x and 090x are services."""
    number = _national(raw, "32")
    if number[:1] == "4" and len(number) == 9:
        return number[1] in "56789"
    return len(number) == 8 and number[0] != "0" and number[:2] not in ("70", "77", "78", "80", "90")


def phone_ch(raw: str) -> bool:
    """Nine digits after the 0, of a region or a mobile network."""
    number = _national(raw, "41")
    return len(number) == 9 and number[:2] in _CODES_CH


def phone_nanp(raw: str) -> bool:
    """North American number: area and exchange from 2 on, neither N11; not free of charge, not 555-01xx."""
    number = _compact(raw)
    number = number[1:] if len(number) == 11 and number[0] == "1" else number
    area, exchange = number[:3], number[3:6]
    return (
        len(number) == 10
        and min(area[0], exchange[0]) >= "2"
        and area[1:] != "11"
        and area[1] != "9"
        and exchange[1:] != "11"
        and area not in _FREE_NANP
        and not (exchange == "555" and number[6:8] == "01")
    )


def phone_abroad(raw: str) -> bool:
    """A number behind `+`, of a country that has no row; groups of three alone are an amount."""
    number = _compact(raw).removeprefix("00")
    if not 9 <= len(number) <= 15 or _AMOUNT.fullmatch(raw):
        return False
    return any(number[:length] in _COUNTRY_CODES for length in (1, 2, 3))


def phone_abroad_announced(raw: str) -> bool:
    """The same where a word announces a telephone: groups of three may be one."""
    number = _compact(raw).removeprefix("00")
    return 9 <= len(number) <= 15 and any(number[:length] in _COUNTRY_CODES for length in (1, 2, 3))


_AMOUNT = re.compile(r"(?:\+|00) ?[0-9]{1,3}(?:[ .][0-9]{3})+")


def plate_fr(raw: str) -> bool:
    """Registration since 2009: 001 to 999, no I, O or U, no SS."""
    plate = _compact(raw)
    letters = plate[:2] + plate[5:]
    return plate[2:5] != "000" and not set(letters) & set("IOU") and "SS" not in (plate[:2], plate[5:])


def plate_be(raw: str) -> bool:
    """A registration whose number, its last three digits, is not 000."""
    return raw[-3:] != "000"


def plate_number(raw: str) -> bool:
    """A registration whose number is not zero."""
    return any(c in "123456789" for c in raw)


def plate_ch(raw: str) -> bool:
    """A canton and its number."""
    return _compact(raw)[:2] in _CANTONS and plate_number(raw)


VALIDATORS: dict[str, Validator] = {
    check.__name__: check
    for check in (
        avs,
        card,
        email,
        enterprise_be,
        iban,
        ipv4,
        ipv4_alone,
        ipv6,
        isbn,
        luhn,
        national_number_be,
        nir,
        nir_without_key,
        phone_abroad,
        phone_abroad_announced,
        phone_be,
        phone_ch,
        phone_fr,
        phone_nanp,
        plate_be,
        plate_ch,
        plate_fr,
        plate_number,
        ramq,
        sin,
        siret,
    )
}
