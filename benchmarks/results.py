"""Make a published figure again: ``python -m benchmarks.results ROW``."""

import importlib
import sys

ROWS = {
    "speech": "the demo, three seeds: time, memory, phones and speakers beside the baselines",
    "fsdd": "recorded digits: 100 labels, a speaker left out, all labels (ROW='fsdd FOLDER')",
    "fsdd_waveform": "the same from raw waveforms, 100 labels (ROW='fsdd_waveform FOLDER')",
    "librispeech": "ten unheard speakers told apart and verified (ROW='librispeech FOLDER')",
    "store": "windows a second beside what training takes; embed on three hours of sound",
    "recurrent": "LSTM and GRU beside torch.nn's and beside a loop of one linear a gate",
    "generation": "10,000 strings beside a loop that makes no room; beams together and one by one",
    "text": "tinyshakespeare in five CPU minutes beside compressors, 5-grams (ROW='text FOLDER')",
    "text_causal": "the same by causal convolutions (ROW='text_causal FOLDER')",
    "waves": "recorded digits sample by sample, bits a sample (ROW='waves FOLDER')",
    "shared_gates": "what one matrix for all gates costs (ROW='shared_gates FOLDER')",
    "causal": "drawing from causal models beside loops that compute everything again",
    "recorded": "drawing on a GPU by replayed steps beside drawing step by step",
    "any_order": "drawing from any-order models beside a loop of whole passes",
    "digits": "bits a dimension of small handwritten digits, causal and any-order, three seeds",
    "pixelcnn": "drawing from a gated PixelCNN beside a loop of whole passes",
    "mnist": "MNIST: bits a dimension, nats, bytes beside xz (ROW='mnist FOLDER [QUESTION ...]')",
    "cpc_images": "CPC of images beside baselines (ROW='cpc_images mnist|cifar|caltech FOLDER')",
    "cpc_image_choices": "choices in CPC of images, three seeds (ROW='cpc_image_choices FOLDER')",
    "series_ucr": "labeled series, three seeds (ROW='series_ucr FOLDER [PEERS]')",
    "series_skab": "faults of a test stand, by single rows, three seeds (ROW='series_skab FOLDER')",
    "series_missing": "series that lack a fifth of their steps (ROW='series_missing FOLDER')",
    "series_forecast": "forecasts beside ridge, neighbors and AR (ROW='series_forecast UCR NAB')",
    "series_compress": "counts beside xz and differences (ROW='series_compress NAB')",
    "series_nab": "58 logs with unusual windows, one pass (ROW='series_nab NAB')",
    "series_stream": "12 channels at 1 kHz, measured as they come, on one core",
    "flows": "Real NVP beside zuko, nflows, normflows and FrEIA; how exactly it is inverted",
    "tables": "flows on two moons and on measured tables, three seeds (ROW='tables FOLDER')",
    "small_tables": "flows with no settings on five small tables (ROW='small_tables FOLDER')",
    "bounded_tables": "columns with bounds, and without them (ROW='bounded_tables FOLDER')",
    "anomaly": "recordings of a speaker left out, by density of embeddings (ROW='anomaly FOLDER')",
    "sequence_vae": "the sequence VAE beside the usual one on torch.nn: step, collating, sampling",
    "molecules": "molecules in ten minutes of two cores (ROW='molecules FOLDER [zinc plain qm9]')",
    "sentences": "sentences of novels, sequence VAE and charrnn (ROW='sentences FOLDER')",
    "seq2seq": "the attention decoder beside one that projects the picture in its loop",
    "easy_vqa": "questions about colored shapes, by the set's own rules (ROW='easy_vqa FOLDER')",
    "vqa_rad": "questions about radiographs beside two baselines (ROW='vqa_rad FOLDER')",
    "interrupted": "trainings and other verbs stopped at 50 places and done again, to the bit",
    "kept": "CPC and the sequence VAE with last and with best weights (ROW='kept FSDD MOLECULES')",
    "paper_images": "CPC of images at the paper's sizes: a step, its memory; on a GPU its rate",
    "information": "mutual information of tasks of known truth, three seeds; intervals",
    "info_nce": "time and memory of InfoNCE beside gathering the negatives",
}


def main() -> None:
    name, *words = sys.argv[1:] or [""]
    if name not in ROWS:
        sys.exit("\n".join(["rows are:", *(f"  {row:14} {what}" for row, what in ROWS.items())]))
    importlib.import_module(f"benchmarks.{name}").main(*words)


if __name__ == "__main__":
    main()
