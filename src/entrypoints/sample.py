"""Generated retail traffic: lines of events for the catalog ``retail``, the same for the same seed."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

from ..core.times import format_time

TYPES = ("page_view", "purchase", "refund", "signup")
DAY = 86_400_000_000

_SHARES = {"page_view": 70, "purchase": 20, "refund": 4, "signup": 6}
_LATE = 0.02
_REMEMBERED = 1000
_PAGES = ("/", "/sale", "/shoes", "/shoes/trail", "/coats", "/coats/winter", "/cart", "/checkout", "/account", "/help")
_REFERRERS = (
    "null",
    '"https://search.example/?q=winter+coats+on+sale"',
    '"https://news.example/style/2026/11/the-coats-of-the-season"',
    '"https://mail.example/inbox/"',
)
_CHANNELS = ("web", "web", "app", "store")
_CURRENCIES = ("EUR", "EUR", "USD", "GBP")
_REASONS = ("damaged", "late", "unwanted", "other")
_PLANS = ("free", "free", "plus", "business")
_COUNTRIES = ('"DE"', '"FR"', '"GB"', '"US"', "null")

_PERSON = re.compile(rb'"(customer_id|visitor_id)":"[^"]*"')
_AMOUNT = re.compile(rb'"amount":("[^"]*"|[0-9.]+)')


def sample_lines(
    random: Random, *, events: int, duplicates: float, broken: float, types: Sequence[str], start: int, span: int
) -> Iterator[bytes]:
    """``events`` lines without their ends: exactly so many percent are exact duplicates of earlier ones, and so many
    are broken, each in one way that makes one dead letter. Where there are duplicates, the first event is none.

    Times rise from ``start`` over ``span`` microseconds, a bit out of order, and some are up to six hours late.
    """
    make = _Maker(random, types, start, span / max(events, 1))
    wrong = round(events * broken / 100)
    again = min(round(events * duplicates / 100), max(events - wrong - 1, 0))
    earlier: deque[bytes] = deque(maxlen=_REMEMBERED)
    for number in range(events):
        # Knuth's selection sampling: the counts come out exactly, at random places.
        drawn = random.random() * (events - number)
        if drawn < wrong:
            wrong -= 1
            yield _broken(random, make.line(number), earlier)
        elif drawn < wrong + again and earlier:
            again -= 1
            yield earlier[int(random.random() * len(earlier))]
        elif earlier and random.random() < 0.01 and "page_view" in types:
            yield make.robot(number)
        else:
            line = make.line(number)
            earlier.append(line)
            yield line


class _Maker:
    def __init__(self, random: Random, types: Sequence[str], start: int, step: float) -> None:
        self._random, self._start, self._step = random, start, step
        makers = {
            "page_view": self._page_view,
            "purchase": self._purchase,
            "refund": self._refund,
            "signup": self._signup,
        }
        self._makers = [makers[name] for name in TYPES if name in types for _ in range(_SHARES[name])]
        self._orders = 0

    def line(self, number: int) -> bytes:
        """A good event."""
        makers = self._makers
        return makers[int(self._random.random() * len(makers))](number).encode()

    def robot(self, number: int) -> bytes:
        """A page view of a robot, which the catalog filters."""
        return self._page_view(number, bot=True).encode()

    def _envelope(self, event_type: str, source: str, number: int, version: int = 1) -> str:
        draw = self._random.random
        time = self._start + int((number + draw() * 20) * self._step)
        if draw() < _LATE:
            time -= int(draw() * DAY / 4)
        bits = f"{self._random.getrandbits(128):032x}"
        return (
            f'{{"eventType":"{event_type}","eventId":"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}",'
            f'"eventTime":"{format_time(time)}","source":"{source}","schemaVersion":{version},"data":{{'
        )

    def _page_view(self, number: int, *, bot: bool = False) -> str:
        draw = self._random.random
        return (
            f'{self._envelope("page_view", "shop.example/web", number)}"visitor_id":"v-{int(draw() * 1e5):06d}",'
            f'"url":"https://shop.example{_pick(draw, _PAGES)}?session={int(draw() * 1e12):012d}",'
            f'"referrer":{_pick(draw, _REFERRERS)},"duration_ms":{int(draw() * draw() * 120_000)},'
            f'"bot":{"true" if bot else "false"}}}}}'
        )

    def _purchase(self, number: int) -> str:
        draw = self._random.random
        self._orders += 1
        cents = 100 + int(draw() ** 4 * 200_000)
        amount = f"{cents // 100}.{cents % 100:02d}"
        old = draw() < 0.2
        currency = "" if old else f'"currency":"{_pick(draw, _CURRENCIES)}",'
        return (
            f"{self._envelope('purchase', 'shop.example/checkout', number, 1 if old else 2)}"
            f'"order_id":"o-{self._orders:08d}","customer_id":"c-{int(draw() * 2e4):06d}",'
            f'"amount":{amount if cents % 3 else f"{chr(34)}{amount}{chr(34)}"},{currency}'
            f'"items":{1 + int(draw() * 5)},"channel":"{_pick(draw, _CHANNELS)}"}}}}'
        )

    def _refund(self, number: int) -> str:
        draw = self._random.random
        cents = 100 + int(draw() ** 4 * 50_000)
        return (
            f'{self._envelope("refund", "shop.example/desk", number)}"order_id":"o-{int(draw() * self._orders):08d}",'
            f'"customer_id":"c-{int(draw() * 2e4):06d}","amount":"{cents // 100}.{cents % 100:02d}",'
            f'"currency":"{_pick(draw, _CURRENCIES)}","reason":"{_pick(draw, _REASONS)}"}}}}'
        )

    def _signup(self, number: int) -> str:
        draw = self._random.random
        return (
            f'{self._envelope("signup", "shop.example/accounts", number)}"customer_id":"c-{int(draw() * 2e4):06d}",'
            f'"plan":"{_pick(draw, _PLANS)}","country":{_pick(draw, _COUNTRIES)}}}}}'
        )


def _pick(draw: Callable[[], float], choices: Sequence[str]) -> str:
    # Not Random.choice, which may draw differently in another version of Python.
    return choices[int(draw() * len(choices))]


def _broken(random: Random, line: bytes, earlier: Sequence[bytes]) -> bytes:
    """A good line made into one that becomes a dead letter."""
    match int(random.random() * 8):
        case 0:
            return line[: 1 + int(random.random() * (len(line) - 1))]  # malformed: ends early
        case 1:
            return line.replace(b'"eventType"', b'"event"', 1)  # malformed: no event
        case 2:
            return line.replace(b'"eventType":"', b'"eventType":"old_', 1)  # unknown-type
        case 3:
            return line.replace(b'"schemaVersion":', b'"schemaVersion":9', 1)  # unsupported-version
        case 4 if b'"purchase"' in line:
            return _AMOUNT.sub(rb'"amount":2500000', line, 1)  # rule
        case 5 if earlier:  # conflict: the same event with other content
            return earlier[int(random.random() * len(earlier))].replace(b'"data":{', b'"data":{"revision":2,', 1)
        case 6:
            return _PERSON.sub(rb'"\1":7', line, 1)  # invalid: a number for a text
        case _:
            return _PERSON.sub(rb'"unknown":true', line, 1)  # invalid: a field is missing
