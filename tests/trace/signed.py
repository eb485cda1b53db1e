"""A traced work with its page, its statement and its proofs, by the ledger of a corpus made for tests."""

from pathlib import Path

from hemicycle.flow import normalisation, words_digest
from hemicycle.ledger import Ledger, Subject
from hemicycle.ledger.prove import make_proof
from hemicycle.ledger.roots import Keys, Root, make_root, open_root
from hemicycle.trace import Tracer, build_index, open_index
from hemicycle.trace.answer import Clearance
from hemicycle.trace.claims import Question, SearchedCorpus
from hemicycle.trace.signed import ProvenDocument, beside, proof_name, sign_trace
from hemicycle.trace.texts import Texts
from hemicycle.trace.work_page import work_page
from hemicycle.trace.works import trace_work
from tests.ledger.rooted import CORPUS_DIGEST, SALT, statement_on


class Publisher:
    """A corpus, its index, its root, and the ledger that stands for them."""

    def __init__(self, folder: Path, corpus: Path, *, upstream: str | None = None) -> None:
        self.corpus = corpus
        index = folder / "index"
        build_index([corpus], index)
        clearance = {"contes": Clearance(attested_by="Ada", attribution="<i>Ada</i>", licence="CC0-1.0")}
        self.tracer = Tracer(open_index(index), [corpus], clearance=clearance, upstream=upstream)
        artefact = folder / "roots"
        artefact.mkdir()
        self.keys = Keys.derive(SALT, CORPUS_DIGEST)
        figures = make_root(
            corpus,
            artefact,
            name="debats",
            corpus_digest=CORPUS_DIGEST,
            keys=self.keys,
            words_digest=words_digest,
            normalisation=normalisation(),
        )
        self.ledger = Ledger(folder / "ledger", folder / "key")
        self.statement = self.ledger.record(statement_on(artefact, figures).to_bytes())
        self.ledger.note_dropped([Subject("model", "later", "0" * 64)])
        self.opened = open_root(artefact, Root.from_json(figures, "figures"))
        self.upstream = upstream

    def report(
        self, page: Path, text: str, *, name: str = "work.txt", kind: str = "text", sha256: str = "ab" * 32
    ):
        """Write the report of a work; returns what was found."""
        work = trace_work(self.tracer, text)
        index = self.tracer.index
        searched = SearchedCorpus("debats", CORPUS_DIGEST, len(index.lengths), int(index.lengths.sum()))
        asked = Question(
            name=name,
            sha256=sha256,
            kind=kind,
            running_heads=0,
            model="petit",
            model_digest="cd" * 32,
            index_digest=index.digest,
            normalisation=normalisation(),
            upstream=self.upstream,
            corpora=(searched,),
        )
        proven = [self.prove(document) for document in work.told]
        signed, proofs = beside(page)
        names = [proof_name(number) for number in range(1, len(proven) + 1)]
        html = work_page(
            work,
            asked,
            proofs=[f"{proofs.name}/{one}" for one in names],
            signed=signed.name,
            fingerprint=self.ledger.public_key.fingerprint,
        )
        page.write_bytes(html)
        proofs.mkdir()
        for one, document in zip(names, proven, strict=True):
            (proofs / one).write_bytes(document.proof)
        signed.write_bytes(sign_trace(self.ledger, work, asked, proven, html))
        return work

    def prove(self, document) -> ProvenDocument:
        text = Texts(self.tracer.index, [self.corpus]).fetch([document.number])[document.number]
        about = {"text": text.digest, "words": words_digest(text.text)}
        proof = make_proof(self.ledger, self.statement, self.opened, self.keys, about)
        return ProvenDocument(document, "debats", about, proof)
