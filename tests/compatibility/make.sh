#!/usr/bin/env bash
# Writes the files of tests/compatibility/files with the msbench that is installed: see README.md beside this.
# Usage: make.sh FOLDER; FOLDER must not exist. The paths in the files are relative, or begin with FOLDER.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir "$1" && cd "$1"
export CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 MSBENCH_PLUGINS=$PWD/tiny.py
msbench() { python -m msbench.cli "$@"; }

# 1. Songs of two stems, one song without stems, and a model in a single file.
python "$here/songs.py"
mkdir bin
printf '#!/bin/sh\n[ "$2" = config ] && echo "MaxArraySize = 1001" || exit 1\n' > bin/scontrol
printf '#!/bin/sh\n[ "$1" = --test-only ] && exit 0\necho $$\n' > bin/sbatch
printf '#!/bin/sh\n' > bin/squeue
printf '#!/bin/sh\nexit 1\n' > bin/sacct
chmod +x bin/*

# 2. Two runs of `fit`: of one epoch, and of two with a moving average of the weights.
flags="-c tiny.yaml --data.dataset folder --data.root songs"
msbench fit $flags --trainer.max_epochs 1
msbench fit $flags --trainer.max_epochs 2 --ema_decay 0.9

# 3. A board: trained cells, floors, a ceiling, a checkpoint; then a second one that chooses what is scored.
mkdir -p board chosen reported cluster
cp "$(ls -d runs/tiny-*/ | head -1)best.ckpt" board/given.ckpt
cat > board/suite.yaml <<'YAML'
board: earlier
title: An earlier board
datasets: [folder]
roots: {folder: ../songs}
seeds: [0, 1]
resources: {hours: 2}
models:
  - {recipe: ../tiny.yaml, set: {trainer.max_epochs: 1}}
  - {recipe: ../tiny.yaml, label: wide, set: {trainer.max_epochs: 1, separator.width: 15}, resources: {cpus: 2}}
  - {model: tiny, label: given, checkpoint: given.ckpt}
  - {model: oracle_irm, label: irm2, set: {separator.alpha: 2}}
  - mixture
  - mixture_share
YAML
cat > chosen/suite.yaml <<'YAML'
datasets: [folder]
roots: {folder: ../songs}
split: valid
backend: museval
metrics: [si-sdr, nsdr]
models: [oracle_ibm, mixture]
YAML
msbench bench board --jobs 1
msbench bench chosen/suite.yaml --jobs 1

# 4. Records of one evaluation each: of a checkpoint, and of files that another tool separated.
msbench evaluate board/given.ckpt --data folder --root songs -o evaluated
msbench separate board/given.ckpt "songs/test/song 0/mixture.flac" -o separated > /dev/null
mkdir -p "estimates/song 0"
for target in voice band; do
  python -c "import sys, soundfile as s; s.write(sys.argv[2], *s.read(sys.argv[1]))" \
    separated/mixture/$target.wav "estimates/song 0/$target.flac"
done
msbench evaluate --estimates estimates --data folder --root few -o evaluated-estimates

# 5. Numbers of papers.
cat > reported/reported.yaml <<'YAML'
- system: U-Net
  citation: "Jansson et al.: Singing voice separation with deep U-Net convolutional networks, ISMIR 2017"
  read_in: "a test"
  data: extra
  split: all
  metric: "nsdr;bsseval-v3;agg=mean"
  NSDR: {vocals: 11.094, accompaniment: 14.435}
  SIR: {vocals: 23.960, accompaniment: 21.832}
  SAR: {vocals: 17.715, accompaniment: 14.120}
YAML
printf 'datasets: [ikala]\nmodels: [mixture]\n' > reported/suite.yaml
msbench board build reported

# 6. Data: a manifest, a prepared folder, where a song without stems lacks a target.
msbench data verify folder --root few
msbench data prepare folder --root few -o prepared
msbench data silences board/given.ckpt unlabelled --threshold-db -3

# 7. A suite on a cluster, whose sbatch only gives numbers.
cp board/suite.yaml board/given.ckpt cluster/
printf 'partition: normal\ngpu_flag: none\npython: python\ntrain: {gpus: 0}\nevaluate: {gpus: 0}\n' > profile.yaml
PATH=$PWD/bin:$PATH msbench submit cluster --cluster profile.yaml --dry-run
PATH=$PWD/bin:$PATH msbench submit cluster --cluster profile.yaml

# 8. What `msbench new` writes.
msbench new my_mask -o new
msbench new my_wave --kind waveform -o new

# 9. Built-in networks, which came to have more options.
mkdir networks
network() {  # NAME MODEL OPTIONS: one epoch
  printf 'name: %s\nseparator: {targets: [voice, band], sample_rate: 4000, channels: 1, %s}\n' "$2" "$3" > network.yaml
  msbench fit -c network.yaml --data.dataset folder --data.root songs --data.chunk_seconds 0.25 \
    --data.chunks_per_epoch 2 --data.batch_size 2 --trainer.max_epochs 1 --trainer.accelerator cpu --output fitted
  mv fitted/best.ckpt "networks/$1.ckpt"
  rm -r fitted network.yaml
}
stft='window_samples: 64, hop_samples: 16'
network conv_tasnet conv_tasnet 'filters: 8, bottleneck: 4, hidden: 4, skip: 4, blocks: 2, repeats: 1'
network conv_tasnet_music conv_tasnet 'filters: 8, bottleneck: 4, hidden: 4, skip: 0, blocks: 2, repeats: 1, mask: relu, bias: false'
network demucs_v1 demucs 'version: v1, filters: 2, depth: 2, lstm_layers: 1'
network demucs_v2 demucs 'version: v2, filters: 2, depth: 2, lstm_layers: 1'
network wave_unet wave_unet 'depth: 2, filters: 2'
network wave_unet_same wave_unet 'depth: 2, filters: 2, context: false, learned_upsampling: true, output: direct'
network unet unet "depth: 3, filters: 2, $stft"
network film_unet film_unet "depth: 3, filters: 2, $stft"
network cnn_mask cnn_mask "frames: 3, hidden: 4, $stft"

# 10. Public names, flags, the cells of the repository's own suites, and outputs.
python "$here/interface.py" > interface.json
python "$here/outputs.py" runs/*/best.ckpt runs/*/last.ckpt networks/*.ckpt

python - "$here/../../leaderboards" > suites.json <<'PYTHON'
import json, sys
from msbench.suite import read_suite  # its place at the commit of README.md
names = {board: [cell.name for cell in read_suite(f"{sys.argv[1]}/{board}").cells] for board in ("demo", "demo_models")}
print(json.dumps(names, indent=1))
PYTHON

rm -r bin separated board/site chosen/site reported/site board/*.png chosen/*.png reported/*.png runs/*/logs \
  board/runs/*/logs board/runs/*/last.ckpt board/runs/*/log.txt chosen/runs/*/log.txt
find . -name __pycache__ -prune -exec rm -r {} +
