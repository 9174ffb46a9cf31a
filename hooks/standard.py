"""The standard, read from the package by `python -m realign.hook_constants`. Not to be edited by hand."""

# ruff: noqa: E501
# fmt: off
ENVIRONMENT = {
    'MLX_METAL_PREALLOCATE': '1',
    'MLX_METAL_FAST_SYNCH': '1',
    'TOKENIZERS_PARALLELISM': 'false',
    'OPENBLAS_NUM_THREADS': '1',
}
TRUTHS = {
    'MLX_METAL_PREALLOCATE': "set because the user's standard asks for it; MLX 0.32 does not read it",
    'MLX_METAL_FAST_SYNCH': 'read by MLX on macOS 15 and later; its documentation warns that it can hang the GPU on some set-ups. hardware.fast_synch=false turns it off',
    'TOKENIZERS_PARALLELISM': 'read by Hugging Face tokenizers; mlx_lm lora sets it to true again by itself',
    'OPENBLAS_NUM_THREADS': 'unless set already: on a busy machine OpenBLAS threads spin, 7 times slower at two',
    'nice': 'needs privilege; without it the work goes on at normal priority. Never by running as root',
}
KEEPS = ('OPENBLAS_NUM_THREADS',)
MAY_BE_OFF = ('MLX_METAL_FAST_SYNCH',)
NICE = -10
HALF = 'half-and-half split'
CORES = 'split by GPU cores'
BATCH = 'batch size above 4 on M3 Ultra'
RDMA = 'RDMA for a model that fits one machine'
REASONS = {
    'half-and-half split': 'the machines differ in throughput, so the faster one would wait for the slower: 0.655 : 0.345 for M4 Max : M3 Ultra until calibrated, then by measured throughput',
    'split by GPU cores': 'throughput does not follow GPU cores: M4 Max gives 324 GFLOPS a core, M3 Ultra 57, as measured by the user',
    'batch size above 4 on M3 Ultra': 'its throughput peaks at 4 (278 ex/s) and falls from there: 265 at 8, 240 at 16, 210 at 32',
    '"M3 Ultra is faster, it has more cores"': "with twice the cores it measured 0.76 ex/s of LLM scoring against 3.86 on M4 Max; what it has is memory, for models that M4 Max can't hold. To use it alone all the same, plan with it as the only machine",
    'RDMA for a model that fits one machine': 'work on separate examples needs no traffic between machines: a 30B model gives 2.98 ex/s as separate batches and about 2.5 sharded',
}
SHARDINGS = ('rdma', 'jaccl', 'sharded', 'sharded over rdma')
SLOW_MACHINE = 'M3 Ultra'
MAX_BATCH = 4
BITS = '(?<![a-z0-9])(?:(?P<n>\\d{1,2})[-_ ]?bits?|(?:i?q|w|int|(?:mx|nv)?fp|bf?|f|b?float)(?P<m>\\d{1,2})(?:a\\d{1,2})?)(?![a-z0-9])'
POSSIBLE_BITS = (2, 3, 4, 5, 6, 8, 16, 32)
LARGEST_WEIGHTS_GB = 400.0
WATTS = {'M4 Max': 120, 'M3 Ultra': None}
CURRENCY = 'USD'
ELECTRICITY_PER_KWH = 0.15
MACHINE_PER_HOUR = 0.0
