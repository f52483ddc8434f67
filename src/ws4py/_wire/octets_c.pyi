from ws4py._wire.octets_py import Utf8Checker as Utf8Checker
from ws4py._wire.octets_py import apply_mask as apply_mask
from ws4py._wire.octets_py import check_text as check_text
