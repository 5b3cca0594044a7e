"""PNR on a folder of images of one's own."""

import argparse

import torch

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("path", help="holds class/image, or train/ and test/ that do")
parser.add_argument("--image-size", type=int, default=64, help="pixels of a crop")
parser.add_argument("--experiences", type=int, default=5)
parser.add_argument("--epochs", type=int, default=20, help="of each experience")
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--device", default="cpu")
options = parser.parse_args()

torch.manual_seed(0)
size = options.image_size
mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
benchmark = pnr.class_incremental(
    pnr.load_folders(options.path),
    n_experiences=options.experiences,
    train_transform=pnr.make_ssl_transform(size, mean=mean, std=std),
    eval_transform=pnr.make_eval_transform(resize=size, crop=size, mean=mean, std=std),
)
model = pnr.SimCLR(pnr.resnet18(small_images=False))
strategy = pnr.SelfSupervised(
    model=model,
    optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    plugins=[pnr.PNRPlugin()],
    evaluator=None,
    train_mb_size=options.batch_size,
    train_epochs=options.epochs,
    device=options.device,
)
data = benchmark.train_stream, benchmark.test_stream, [pnr.LinearProbe()]
for experience in benchmark.train_stream:
    names = [benchmark.class_names[c] for c in experience.classes_in_this_experience]
    strategy.train(experience)
    each = probe_accuracy(model, *data, device=options.device)["linear"]
    print(f"after {', '.join(sorted(names))}:")
    print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
