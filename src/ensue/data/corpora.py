"""Names of the built-in corpora, apart from what opens them: to list names loads no arrays."""

BUILTIN = {
    "speech": "synthetic speech of 48 voices with phone and speaker labels (extra: demo)",
    "digits": "1,797 handwritten digits of 8 x 8 pixels in 17 levels (scikit-learn)",
    "moons": "two moons: 4,000 points in the plane, noise 0.1",
}
