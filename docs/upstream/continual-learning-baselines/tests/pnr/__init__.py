from .experiment import PNR
