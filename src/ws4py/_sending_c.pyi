from ws4py._sending_py import send as send
