# Write the flow of MPI Sintel's test split for its server: the folders clean
# and final, for the benchmark's bundler.
_base_ = './mcjepa-flow_convnext-tiny_sintel.py'
out_dir = 'work_dirs/sintel_submission'

clean = _base_.sintel_clean_test_dataloader
clean.dataset.test_mode = True
final = _base_.sintel_final_test_dataloader
final.dataset.test_mode = True
test_dataloader = [clean, final]
test_evaluator = [
    dict(
        type='FlowSubmission', out_dir=out_dir, layout='sintel', prefix='clean'
    ),
    dict(
        type='FlowSubmission', out_dir=out_dir, layout='sintel', prefix='final'
    ),
]
