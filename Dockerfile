# The commands of .ci/run on a CPU. Not built with docker yet; its commands were run one by one on Debian bookworm.
#
#   docker build -t slic-mmaction .
#   docker run --rm --shm-size=2g slic-mmaction                     # make demo
#   docker run --rm --shm-size=2g slic-mmaction make test
#   docker run --rm --shm-size=2g -v "$PWD":/data slic-mmaction slic pretrain /data/videos --out /data/run
FROM python:3.11-slim-bookworm

# The last two are for opencv-python.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# The small CPU build of torch: PyPI's has the CUDA libraries in it.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu PIP_NO_CACHE_DIR=1
WORKDIR /slic-mmaction
COPY . .
RUN make .venv/.installed
ENV PATH=/slic-mmaction/.venv/bin:$PATH
CMD ["make", "demo"]
