# The main job in a container:
#
#   docker build --tag avalanche-pnr .
#   docker run --rm --volume pnr-runs:/home/pnr/runs avalanche-pnr
#
# and on a GPU, with PyTorch's build for its CUDA:
#
#   docker build --build-arg TORCH=cu128 --tag avalanche-pnr .
#   docker run --rm --gpus all avalanche-pnr python -m experiments device=cuda
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
# cpu, or one of PyTorch's builds for CUDA, such as cu126 or cu128.
ARG TORCH=cpu
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1
# A layer of its own: it is large, and does not change with the package. Versions are
# those that setup.cfg allows.
# hadolint ignore=DL3013
RUN pip install --index-url "https://download.pytorch.org/whl/${TORCH}" torch torchvision
WORKDIR /src
COPY pyproject.toml setup.cfg MANIFEST.in README.md LICENSE ./
COPY avalanche_pnr avalanche_pnr
# hadolint ignore=DL3013
RUN pip install ".[experiments]"

FROM python:${PYTHON}-slim
RUN useradd --uid 1000 --create-home pnr \
    && install --directory --owner pnr /home/pnr/runs
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /home/pnr
COPY experiments experiments
USER 1000
VOLUME /home/pnr/runs
CMD ["python", "-m", "experiments"]
