"""Serve: talk to a model, and see where its words stand in the text it was trained on.

An application in the OpenAI dialect before one engine, a route that traces any text to its documents, and
one page in French and English that shows both. The engine is a Protocol: the embedded one runs a
`transformers` folder on the processor; a faster one fills the same six members. Nothing that people write
or read here is logged or kept.
"""

from hemicycle.serve.app import create_app
from hemicycle.serve.engine import Chunk, Engine, Params, load_engine
from hemicycle.serve.trace_api import Tracer, TraceResult

__all__ = ["Chunk", "Engine", "Params", "TraceResult", "Tracer", "create_app", "load_engine"]
