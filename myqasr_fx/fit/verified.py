"""Files beside the graphs that they were written from."""

from __future__ import annotations

from myqasr_fx.fit.fit import Fitted
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.manifest import low_bit_products
from myqasr_fx.verify.fake_quant import make_reference
from myqasr_fx.verify.forced_logits import Sample
from myqasr_fx.verify.verify_files import Verified, verify_files


def verified(job: FitJob, fitted: Fitted) -> Verified:
    """Compares the files with the fake-quantized graphs on a few of the clips.

    Args:
        job: Holds the clips.
        fitted: The files.

    Raises:
        VerificationError: They differ too much.
    """
    samples = [Sample(clip.samples, said.tokens, said.language) for clip, said in job.measurements.observed.pairs()]
    reference = make_reference(fitted.program, job.request.dump_ir)
    fused = low_bit_products(fitted.program, job.prepared.layers)
    prepared = job.prepared
    return verify_files(fitted.models, prepared.speech, reference, samples, fused, job.limits, prepared.silence)
