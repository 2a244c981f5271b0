# Makes the folder of a trial and the folder of its case. Arguments: the trial's folder,
# umask of the case's.
export LC_ALL=C
umask 077
mkdir -- "$1" && umask "$2" && mkdir -- "$1/case"
