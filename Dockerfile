# msbench with ffmpeg, for machines and clusters with containers:
#   docker build -t msbench .
#   docker run --rm --gpus all -v "$PWD:/work" msbench msbench demo
# For drivers of CUDA 12: docker build --build-arg TORCH='torch<2.11' -t msbench .
FROM python:3.12-slim
ARG TORCH=torch
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml setup.py README.md LICENSE /src/
COPY msbench /src/msbench
COPY plugins /src/plugins
COPY leaderboards /src/leaderboards
COPY slurm /src/slurm
RUN pip install --no-cache-dir "$TORCH" '/src[wandb]' && rm -rf /src
WORKDIR /work
CMD ["msbench", "doctor"]
