from ws4py._wire.codec_py import FAILED as FAILED
from ws4py._wire.codec_py import MessageReader as MessageReader
from ws4py._wire.codec_py import build_frame as build_frame
from ws4py._wire.codec_py import build_header as build_header
